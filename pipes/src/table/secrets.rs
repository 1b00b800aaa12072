//! The secrets that a step can't do without, by the keys that name them.
//! Does not know what is in any of them.

use forge_plugin::schemas::{Place, SecretNeed, SecretReader};

/// What a step says of the secrets that these keys name.
pub fn needs(keys: &[(&str, Option<&String>)], reader: SecretReader) -> Vec<SecretNeed> {
    let need = |(key, name): &(&str, Option<&String>)| {
        Some(SecretNeed { name: (*name)?.clone(), place: Place::Key((*key).to_owned()), reader })
    };
    keys.iter().filter_map(need).collect()
}
