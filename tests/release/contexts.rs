//! Images that stand on images of other tables, and copy from them.
//! Does not know the pipes: it reads what is in the store.

use serde_json::Value;

use crate::support::project::Project;

const TABLES: &str = "[project]
name = 'two'

[[docker]]
id = 'ground'
ids = []
images = ['example.org/ground']
files = [{ src = 'ground.txt', dst = '/' }]
env = { GROUND = '1' }

[[docker]]
id = 'tools'
ids = []
images = ['example.org/tools']
files = [{ src = 'tools', dst = '/opt' }]

[[docker]]
id = 'image'
ids = []
images = ['example.org/image']
dockerfile = 'Dockerfile'
contexts = { debian = 'table:ground', 'example.org/tools:1' = 'table:tools' }

[[docker]]
id = 'by-keys'
ids = []
images = ['example.org/by-keys']
base = 'table:image'
user = '5'
";

fn project() -> Project {
    let project = Project::of_text(TABLES);
    project.write("ground.txt", "ground");
    project.write("tools/a", "a");
    project.write("tools/b", "b");
    project.write(
        "Dockerfile",
        "FROM debian AS first\nLABEL a=b\nFROM first\nCOPY --from=example.org/tools:1 /opt/a /opt/\n",
    );
    project
}

/// The layers of an image, and its config.
fn image(project: &Project, table: &str) -> (Vec<String>, Value) {
    let read = |digest: &Value| {
        let digest = digest.as_str().expect("a digest").replace(':', "/");
        project.json(&format!(".forge/store/blobs/{digest}"))
    };
    let name = format!("{table}_linux_arm64.image.json");
    let list = project.json("dist/artifacts.json");
    let artifacts = list["artifacts"].as_array().expect("a list of artifacts");
    let manifest = read(&artifacts.iter().find(|it| it["name"] == name).expect("the image")["digest"]);
    let layers = manifest["layers"].as_array().expect("layers").iter().map(|it| it["digest"].to_string()).collect();
    (layers, read(&manifest["config"]["digest"])["config"].clone())
}

fn ran(project: &Project) -> Vec<String> {
    project.forge(&["run", "docker", "--snapshot", "--json"]).expect(0).tasks("task_started")
}

#[test]
fn tables_stand_on_tables() {
    let project = project();
    assert_eq!(ran(&project).len(), 10);
    let (ground, (layers, config)) = (image(&project, "ground").0, image(&project, "image"));
    assert_eq!(layers[..1], ground);
    assert_eq!(layers.len(), 2);
    assert_eq!(config["Env"][1], "GROUND=1");
    assert_eq!(config["Labels"]["a"], "b");
    let (above, config) = image(&project, "by-keys");
    assert_eq!(above, layers);
    assert_eq!(config["User"], "5");

    assert_eq!(ran(&project), [""; 0]);
    // What an image does not copy of another makes it run again, and nothing else.
    project.write("tools/b", "changed");
    let changed: Vec<String> = ran(&project).into_iter().filter(|it| it.ends_with("linux/arm64")).collect();
    assert_eq!(changed, ["docker:tools/linux/arm64", "docker:image/linux/arm64"]);
}
