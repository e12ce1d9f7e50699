//! The helpers for repositories and published variables: values cross encoded.

use super::{Body, I32};
use aro_wit::interface::{PUBLISHED, REPOSITORIES};

impl Body<'_> {
    pub(super) fn publish(&mut self) -> &mut Self {
        self.encoded(2).when(Some(I32)).number(0).otherwise();
        self.locals(2)
            .slice(3)
            .import(PUBLISHED, "publish")
            .number(1)
            .end()
    }

    pub(super) fn read_published(&mut self) -> &mut Self {
        self.locals(2).scratch().import(PUBLISHED, "read");
        self.load8(0)
            .when(Some(I32))
            .load32(4)
            .load32(8)
            .runtime("raise")
            .number(-1);
        self.otherwise()
            .load8(4)
            .when(Some(I32))
            .load32(8)
            .load32(12)
            .runtime("decode");
        self.otherwise().number(0).end().end()
    }

    pub(super) fn store(&mut self) -> &mut Self {
        self.encoded(2).when(Some(I32)).number(0).otherwise();
        self.locals(2)
            .slice(3)
            .scratch()
            .import(REPOSITORIES, "store");
        self.rows().end()
    }

    pub(super) fn retrieve(&mut self) -> &mut Self {
        self.locals(2)
            .local(2)
            .runtime("filter_list")
            .split(4)
            .local(3)
            .scratch()
            .import(REPOSITORIES, "retrieve");
        self.rows()
    }

    pub(super) fn delete(&mut self) -> &mut Self {
        self.locals(2)
            .local(2)
            .runtime("filter_list")
            .split(3)
            .scratch()
            .import(REPOSITORIES, "delete");
        self.rows()
    }

    pub(super) fn clear_repository(&mut self) -> &mut Self {
        self.locals(2).scratch().import(REPOSITORIES, "clear");
        self.succeeded()
    }

    pub(super) fn configure(&mut self) -> &mut Self {
        self.local(4).runtime("encode");
        self.function.instructions().local_tee(5).i64_eqz();
        self.when(Some(I32)).number(0).otherwise();
        self.locals(4)
            .slice(5)
            .scratch()
            .import(REPOSITORIES, "configure");
        self.succeeded().end()
    }

    /// `result<list<u8>, string>`, or a record that begins with the list, to a value.
    fn rows(&mut self) -> &mut Self {
        self.load8(0)
            .when(Some(I32))
            .load32(4)
            .load32(8)
            .runtime("raise")
            .number(0);
        self.otherwise().load32(4).load32(8).runtime("decode").end()
    }
}
