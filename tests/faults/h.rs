//! Rows H: secrets, which must not be seen.
//! Does not know who uses them.
