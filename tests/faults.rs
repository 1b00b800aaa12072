//! Faults: what goes wrong around forge, a row of the fault matrix each, and that a plain second run ends as if it had not.
//! Does not know how forge guards itself.

mod a;
mod b;
mod c;
mod changes;
mod d;
mod edits;
mod g;
mod h;
mod kills;
mod signals;
mod small;
