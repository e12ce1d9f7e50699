//! CBOR written to memory, which cannot fail.

use minicbor::Encoder;

/// Writes items one behind the other.
#[derive(Debug, Default)]
pub(crate) struct Pen(Vec<u8>);

impl Pen {
    fn write(
        &mut self,
        item: impl FnOnce(
            &mut Encoder<&mut Vec<u8>>,
        ) -> Result<(), minicbor::encode::Error<std::convert::Infallible>>,
    ) -> &mut Self {
        let mut encoder = Encoder::new(&mut self.0);
        item(&mut encoder).expect("writing to a vector cannot fail");
        self
    }

    pub(crate) fn null(&mut self) -> &mut Self {
        self.write(|to| to.null().map(drop))
    }

    pub(crate) fn flag(&mut self, flag: bool) -> &mut Self {
        self.write(|to| to.bool(flag).map(drop))
    }

    pub(crate) fn number(&mut self, number: u64) -> &mut Self {
        self.write(|to| to.u64(number).map(drop))
    }

    pub(crate) fn text(&mut self, text: &str) -> &mut Self {
        self.write(|to| to.str(text).map(drop))
    }

    pub(crate) fn bytes(&mut self, bytes: &[u8]) -> &mut Self {
        self.write(|to| to.bytes(bytes).map(drop))
    }

    /// The head of an array; its items follow.
    pub(crate) fn array(&mut self, items: usize) -> &mut Self {
        self.write(|to| to.array(items as u64).map(drop))
    }

    /// Items that are encoded already.
    pub(crate) fn raw(&mut self, items: &[u8]) -> &mut Self {
        self.0.extend_from_slice(items);
        self
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// Takes back what was written behind the first `bytes` bytes.
    pub(crate) fn truncate(&mut self, bytes: usize) {
        self.0.truncate(bytes);
    }

    pub(crate) fn as_slice(&self) -> &[u8] {
        &self.0
    }

    pub(crate) fn into_bytes(self) -> Vec<u8> {
        self.0
    }
}
