//! What plugins are held against in `forge.lock`, and what is to stand there.
//! Loads none of them.

use std::collections::BTreeMap;

use forge_plugin::{Found, Library};

use super::{Named, One, Refused, Unpinned};
use crate::diagnostic::Diagnostic;
use crate::run::locked::Pin;
use crate::source::Span;

/// What to do about one that is not what it is pinned to.
const REVIEW: &str = "if this is wanted, look at what has changed, and run `forge plugins lock`";

/// What a plugin is to be pinned to, and the file that it lies in.
pub struct Pinned {
    /// The file, for people.
    pub file: String,
    /// The pin.
    pub pin: Pin,
}

impl Named<'_> {
    /// What each is to be pinned to, by name; nothing of them is loaded. Or all that can't be used.
    pub fn pins(&self) -> Result<BTreeMap<String, Pinned>, Vec<Diagnostic>> {
        let (mut pins, mut diagnostics) = (BTreeMap::new(), Vec::new());
        for one in self.all() {
            match one.pinned() {
                Ok(pinned) => drop(pins.insert(one.name.to_owned(), pinned)),
                Err(diagnostic) => diagnostics.push(*diagnostic),
            }
        }
        if diagnostics.is_empty() { Ok(pins) } else { Err(diagnostics) }
    }
}

impl One<'_> {
    /// What it is to be pinned to. The digests of other platforms stay as they are pinned, for the same version.
    fn pinned(&self) -> Result<Pinned, Refused> {
        let Found { library, elsewhere, .. } = self.find().map_err(|error| self.refused(&error))?;
        self.judge(&library)?;
        let before = self.named.locked.pin(self.name).filter(|pin| pin.version == library.version());
        let mut digests = before.map(|pin| pin.digests.clone()).unwrap_or_default();
        let builds = elsewhere.iter().filter(|it| it.version() == library.version()).chain([&library]);
        digests.extend(builds.map(|it| (it.platform().to_owned(), it.digest())));
        let pin = Pin {
            version: library.version().to_owned(),
            pipes: library.pipes().to_vec(),
            secrets: self.granted(&library).into_keys().collect(),
            revealed: self.revealed(&library).into_keys().collect(),
            digests,
        };
        Ok(Pinned { file: self.shown(library.path()), pin })
    }

    /// The secrets that its tables ask for, and where.
    fn granted(&self, library: &Library) -> BTreeMap<String, Span> {
        library.pipes().iter().flat_map(|pipe| self.named.document.granted(pipe)).collect()
    }

    /// The secrets that its tables reveal to it, and where.
    fn revealed(&self, library: &Library) -> BTreeMap<String, Span> {
        library.pipes().iter().flat_map(|pipe| self.named.document.revealed(pipe)).collect()
    }

    /// Whether it is what it is pinned to.
    pub(super) fn check_pin(&self, library: &Library) -> Result<(), Refused> {
        let platform = library.platform();
        let pin = self.named.locked.pin(self.name);
        let digest = pin.and_then(|pin| pin.digests.get(platform));
        let name = self.name;
        let unpinned = |message: String| {
            Err(Box::new(self.at("path", message).help("look at what it is, and pin it with `forge plugins lock`")))
        };
        let message = match (pin, digest) {
            (Some(pin), _) if pin.version != library.version() => {
                format!("plugin `{name}` is of version {}, and {} is pinned", library.version(), pin.version)
            }
            (_, Some(digest)) if *digest != library.digest() => {
                format!("plugin `{name}` is another library than is pinned: {}, not {digest}", library.digest())
            }
            (Some(_), None) if self.named.unpinned == Unpinned::Refused => {
                return unpinned(format!("plugin `{name}` is not pinned for {platform}"));
            }
            (None, _) if self.named.unpinned == Unpinned::Refused => {
                return unpinned(format!("plugin `{name}` is not pinned"));
            }
            (Some(pin), _) => return self.check_granted(library, pin),
            (None, _) => return Ok(()),
        };
        Err(Box::new(self.at("path", message).help(REVIEW)))
    }

    fn check_granted(&self, library: &Library, pin: &Pin) -> Result<(), Refused> {
        let name = self.name;
        let granted = self.granted(library).into_iter().find(|(secret, _)| !pin.secrets.contains(secret));
        let revealed = self.revealed(library).into_iter().find(|(secret, _)| !pin.revealed.contains(secret));
        let (message, span) = match (granted, revealed) {
            (Some((secret, span)), _) => (format!("plugin `{name}` is pinned without the secret `{secret}`"), span),
            (_, Some((secret, span))) => {
                (format!("plugin `{name}` is pinned as one that does not see the secret `{secret}` itself"), span)
            }
            (None, None) => return Ok(()),
        };
        Err(Box::new(Diagnostic::error(message).at(self.source(), span).help(REVIEW)))
    }
}
