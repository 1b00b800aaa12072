//! What a file of a Python package is called: the project and the version that its name says.
//! Does not look into files.

use forge_plugin::schemas::Facts;

/// A file's name, understood (binary distribution format, "File name convention"; source distribution format, "Source distribution file name").
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileName {
    /// As it is.
    pub text: String,
    /// The project, normalized (PEP 503).
    pub project: String,
    /// The version, as it stands there.
    pub version: String,
}

impl FileName {
    /// The name of an artifact, if it is one of these. The version of a snapshot is written as Python's can be: as a local one.
    pub fn parse(artifact: &str, facts: &Facts) -> Option<FileName> {
        let text = artifact.rsplit('/').next().unwrap_or(artifact);
        let local = facts.version.replacen('-', "+", 1).replace('-', ".");
        let text = &if facts.snapshot { text.replace(&facts.version, &local) } else { text.to_owned() };
        let (project, version) = match text.strip_suffix(".whl") {
            Some(stem) => {
                let parts: Vec<&str> = stem.split('-').collect();
                // With a build number there are six.
                (parts.len() == 5 || parts.len() == 6).then(|| (parts[0], parts[1]))?
            }
            None => text.strip_suffix(".tar.gz")?.rsplit_once('-')?,
        };
        let is_version = version.starts_with(|it: char| it.is_ascii_digit());
        (is_version && !project.is_empty()).then(|| FileName {
            text: text.to_owned(),
            project: normalized(project),
            version: version.to_owned(),
        })
    }
}

/// A project's name as indexes have it.
pub fn normalized(name: &str) -> String {
    let words = name.split(['-', '_', '.']).filter(|it| !it.is_empty());
    words.collect::<Vec<_>>().join("-").to_lowercase()
}

#[cfg(test)]
mod tests {
    use forge_plugin::testing::sample_facts;

    use super::*;

    #[test]
    fn names_of_files() {
        let check = |name: &str, expect: Option<(&str, &str)>| {
            let found = FileName::parse(name, &sample_facts()).map(|it| (it.project, it.version));
            assert_eq!(found, expect.map(|(project, version)| (project.to_owned(), version.to_owned())), "{name}");
        };
        check("dist/Hello_World-1.2.3-py3-none-any.whl", Some(("hello-world", "1.2.3")));
        check("hello-1.2.3-7-cp312-abi3-manylinux_2_28_x86_64.whl", Some(("hello", "1.2.3")));
        check("hello.world-1.2.3rc1.tar.gz", Some(("hello-world", "1.2.3rc1")));
        check("hello_1.2.3_linux_amd64.tar.gz", None);
        check("hello-1.2.3-linux-amd64.tar.gz", None);
        check("hello-1.2.3.whl", None);
        check("hello.zip", None);
        let facts = Facts { version: "1.2.3-SNAPSHOT-c0ffee".to_owned(), snapshot: true, ..sample_facts() };
        let found = FileName::parse("hello-1.2.3-SNAPSHOT-c0ffee-py3-none-any.whl", &facts).unwrap();
        assert_eq!(found.text, "hello-1.2.3+SNAPSHOT.c0ffee-py3-none-any.whl");
    }
}
