//! The messages of the Remote Execution API (version 2) that name an action, in the one form that protobuf calls
//! deterministic: fields by number, what is empty left out, names sorted. Does not know what a task is.

use forge_schemas::Digest;

/// Some content, as a `Digest` of the API names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Content {
    /// The sha256 of it.
    pub digest: Digest,
    /// How many bytes it has.
    pub size: u64,
}

/// What lies in a directory under a name.
#[derive(Debug, Clone, Copy)]
pub enum Node<'a> {
    /// A file, and whether it may be executed.
    File(Content, Executable),
    /// A symbolic link, and what it says.
    Link(&'a str),
    /// A directory that is known already.
    Directory(Content),
}

/// Whether a file may be executed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Executable {
    /// It may.
    Yes,
    /// It may not.
    No,
}

/// A `Command`.
pub struct Command<'a> {
    /// What is started.
    pub arguments: &'a [&'a str],
    /// Names and values, sorted by name.
    pub environment: &'a [(&'a str, &'a str)],
    /// What it makes; in any order.
    pub output_paths: Vec<&'a str>,
}

/// An `Action`. What makes it time out is left out: that decides nothing that comes out.
pub struct Action<'a> {
    /// The command.
    pub command: Content,
    /// The directory that it works in.
    pub input_root: Content,
    /// Whether its result may be remembered.
    pub do_not_cache: bool,
    /// Which meaning of actions this one has.
    pub salt: &'a [u8],
    /// Where it must run, as names and values; in any order.
    pub platform: Vec<(&'a str, &'a str)>,
}

impl Content {
    /// That of these bytes.
    pub fn of(bytes: &[u8]) -> Content {
        Content { digest: Digest::of(bytes), size: bytes.len() as u64 }
    }
}

impl From<bool> for Executable {
    fn from(is_executable: bool) -> Executable {
        if is_executable { Executable::Yes } else { Executable::No }
    }
}

impl Command<'_> {
    /// The message.
    pub fn content(mut self) -> Content {
        self.output_paths.sort_unstable();
        self.output_paths.dedup();
        let mut message = Message::with_room();
        self.arguments.iter().for_each(|it| message.bytes(1, it.as_bytes()));
        self.environment.iter().for_each(|(name, value)| message.pair(2, name, value));
        self.output_paths.iter().for_each(|it| message.bytes(7, it.as_bytes()));
        message.content()
    }
}

impl Action<'_> {
    /// The message.
    pub fn content(mut self) -> Content {
        self.platform.sort_unstable();
        let mut message = Message::with_room();
        message.digest(1, self.command);
        message.digest(2, self.input_root);
        message.flag(7, self.do_not_cache);
        message.text(9, self.salt);
        if !self.platform.is_empty() {
            message.nested(10, |platform| self.platform.iter().for_each(|(name, value)| platform.pair(1, name, value)));
        }
        message.content()
    }
}

/// The directory in which these lie by their paths (names divided by `/`; the first of those with one path), as the digest
/// of a `Directory` that names all that is below it.
pub fn directory<'a>(mut entries: Vec<(&'a str, Node<'a>)>) -> Content {
    entries.sort_by(|(one, _), (other, _)| one.split('/').cmp(other.split('/')));
    entries.dedup_by(|(next, _), (before, _)| next == before);
    let mut open = vec![Open::default()];
    for (path, node) in entries {
        let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
        let parts = || folder.split('/').filter(|part| !part.is_empty());
        let shared = open[1..].iter().zip(parts()).take_while(|(open, part)| open.name == *part).count();
        close_to(&mut open, shared + 1);
        open.extend(parts().skip(shared).map(|name| Open { name, ..Open::default() }));
        if let Some(innermost) = open.last_mut() {
            innermost.add(name, node);
        }
    }
    close_to(&mut open, 1);
    open.pop().unwrap_or_default().content()
}

/// A directory to which entries are still added.
#[derive(Default)]
struct Open<'a> {
    name: &'a str,
    files: Message,
    directories: Message,
    links: Message,
}

fn close_to(open: &mut Vec<Open<'_>>, depth: usize) {
    while open.len() > depth {
        let Some(closed) = open.pop() else { return };
        let name = closed.name;
        let content = closed.content();
        if let Some(parent) = open.last_mut() {
            parent.add(name, Node::Directory(content));
        }
    }
}

impl Open<'_> {
    fn add(&mut self, name: &str, node: Node<'_>) {
        match node {
            Node::File(content, executable) => self.files.nested(1, |entry| {
                entry.text(1, name.as_bytes());
                entry.digest(2, content);
                entry.flag(4, executable == Executable::Yes);
            }),
            Node::Directory(content) => self.directories.nested(2, |entry| {
                entry.text(1, name.as_bytes());
                entry.digest(2, content);
            }),
            Node::Link(target) => self.links.pair(3, name, target),
        }
    }

    fn content(mut self) -> Content {
        self.files.0.append(&mut self.directories.0);
        self.files.0.append(&mut self.links.0);
        self.files.content()
    }
}

/// A protobuf message that is being written. Its fields are written in the order of their numbers.
#[derive(Default)]
struct Message(Vec<u8>);

/// As many bytes as most messages of an action have.
const ROOM: usize = 512;

/// As many bytes as most nested messages have.
const ENTRY: usize = 128;

impl Message {
    fn with_room() -> Message {
        Message(Vec::with_capacity(ROOM))
    }

    /// One of any number of values.
    fn bytes(&mut self, field: u8, bytes: &[u8]) {
        self.0.push(field << 3 | 2);
        self.number(bytes.len() as u64);
        self.0.extend_from_slice(bytes);
    }

    /// A value that is left out where it is empty.
    fn text(&mut self, field: u8, bytes: &[u8]) {
        if !bytes.is_empty() {
            self.bytes(field, bytes);
        }
    }

    fn flag(&mut self, field: u8, is_set: bool) {
        if is_set {
            self.0.extend([field << 3, 1]);
        }
    }

    /// A message of a name and a value: a variable, or a property.
    fn pair(&mut self, field: u8, name: &str, value: &str) {
        self.nested(field, |pair| {
            pair.text(1, name.as_bytes());
            pair.text(2, value.as_bytes());
        });
    }

    fn digest(&mut self, field: u8, content: Content) {
        let size = if content.size == 0 { 0 } else { 1 + width(content.size) };
        self.0.extend([field << 3 | 2, 2 + 64 + size, 1 << 3 | 2, 64]);
        self.0.extend_from_slice(&content.digest.digits());
        if content.size > 0 {
            self.0.push(2 << 3);
            self.number(content.size);
        }
    }

    /// A message in this one. Its length stands before it, and is known after it.
    fn nested(&mut self, field: u8, write: impl FnOnce(&mut Message)) {
        self.0.reserve(ENTRY);
        self.0.push(field << 3 | 2);
        let start = self.0.len();
        write(self);
        let length = self.0.len() - start;
        self.number(length as u64);
        let width = self.0.len() - start - length;
        self.0[start..].rotate_right(width);
    }

    fn number(&mut self, mut number: u64) {
        while number >= 0x80 {
            self.0.push(number as u8 | 0x80);
            number >>= 7;
        }
        self.0.push(number as u8);
    }

    fn content(&self) -> Content {
        Content::of(&self.0)
    }
}

/// How many bytes a number takes.
fn width(number: u64) -> u8 {
    (u64::BITS - (number | 1).leading_zeros()).div_ceil(7) as u8
}

#[cfg(test)]
mod tests {
    use super::*;

    // Every digest and size here was computed by another implementation of protobuf, from the published definition.
    fn check(content: Content, expect: &str) {
        assert_eq!(format!("{}/{}", content.digest, content.size), expect);
    }

    fn file(text: &str) -> Node<'_> {
        Node::File(Content::of(text.as_bytes()), Executable::No)
    }

    fn program(text: &str) -> Node<'_> {
        Node::File(Content::of(text.as_bytes()), Executable::Yes)
    }

    const EMPTY: &str = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855/0";
    const TREE: &str = "sha256:c7b2cecfa3919420abe25f74288b792f21c47dd25554f18582c02b4ab545a339/384";

    fn tree() -> Content {
        let long = "z".repeat(200);
        directory(vec![
            ("sub/to", Node::Link("x")),
            ("sub/deep/run", program("#!")),
            ("a-b/y", file("y")),
            ("b", file("b")),
            ("a/z", file(&long)),
            ("sub/x", file("")),
            ("a.txt", file("a")),
            ("b", file("b")),
        ])
    }

    #[test]
    fn directories() {
        check(directory(vec![]), EMPTY);
        check(
            directory(vec![("a", file("a"))]),
            "sha256:41e5d3d6faea2cf49fbb9d9c67518b00b1cb0855b589e8e365b4879c41b8ba5b/75",
        );
        check(
            directory(vec![("a", program("a"))]),
            "sha256:5b644fce63a0c0b820ade9862855ec93495e2e3ce07c88e3812c744a944d09ca/77",
        );
        check(
            directory(vec![("größe", file(""))]),
            "sha256:0864bfc590a1382d87d03855d48ab5e1bffc61260710b79da820f5ad8e3983e2/79",
        );
        check(
            directory(vec![("a", Node::Link("../ü"))]),
            "sha256:d6d9a7e2fa311fc8eef97daf37d6ea3085f1a0831b948f8807de5205351fdb84/12",
        );
        check(tree(), TREE);
    }

    #[test]
    fn a_directory_that_is_known_stands_for_what_is_in_it() {
        let deep = directory(vec![("run", program("#!"))]);
        let known = directory(vec![("sub/x", file("")), ("sub/deep", Node::Directory(deep))]);
        assert_eq!(known, directory(vec![("sub/deep/run", program("#!")), ("sub/x", file(""))]));
    }

    fn command() -> Content {
        let command = Command {
            arguments: &["build", "linux/arm64", ""],
            environment: &[("A", ""), ("LANG", "é")],
            output_paths: vec!["z/b", "größe", "a", "a"],
        };
        command.content()
    }

    #[test]
    fn commands() {
        check(Command { arguments: &[], environment: &[], output_paths: vec![] }.content(), EMPTY);
        check(command(), "sha256:0a00c391c13cb91f9ebb26467cde20a31ad1cfefc17bd71a549c4e9729c6d59e/56");
    }

    #[test]
    fn actions() {
        let action = |salt: &'static str, do_not_cache, platform: &[(&str, &str)]| {
            let (salt, platform) = (salt.as_bytes(), platform.to_vec());
            Action { command: command(), input_root: tree(), do_not_cache, salt, platform }.content()
        };
        check(action("", false, &[]), "sha256:07ad64709b0233f3c8e95545816de703d9fa5ee7d367f8c3388fd36084014bef/141");
        check(action("one", false, &[]), "sha256:7e3d3982d8e10b65dd6b11d1cf1af8477a5d596c3c19564948169890aade797f/146");
        check(action("one", true, &[]), "sha256:7e19b98d16963b8f2f2980c84bfd9946bda6388d377e20073146a02f06d30745/148");
        check(
            action("one", false, &[("ü", ""), ("a", "2"), ("a", "1")]),
            "sha256:cec217c4e002075fda86816652cef9697eb6323b51478d664e6116789500e9a0/170",
        );
    }
}
