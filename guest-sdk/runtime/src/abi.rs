//! temporary
pub enum Ty { I32, I64, F64 }
pub struct Export { pub name: &'static str, pub params: &'static [Ty], pub results: &'static [Ty] }
pub const EXPORTS: &[Export] = &[];
