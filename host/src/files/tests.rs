//! Paths in every disguise, and the grants that they meet.

use super::{Files, Refused, Wanted};
use crate::config::Limits;
use std::fs;
use std::path::Path;

/// A granted directory `in` beside a secret, and the files in it.
struct Scene {
    root: tempfile::TempDir,
    files: Files,
}

fn scene() -> Scene {
    let root = tempfile::tempdir().unwrap();
    fs::create_dir(root.path().join("in")).unwrap();
    fs::write(root.path().join("secret"), "secret").unwrap();
    let limits = Limits {
        file_bytes_max: 100,
        appended_file_bytes_max: 100,
        directory_entries_max: 5,
        ..Limits::default()
    };
    let files = Files::new(&[root.path().join("in")], &limits);
    Scene { root, files }
}

impl Scene {
    fn inside(&self, path: &str) -> std::path::PathBuf {
        self.root.path().join("in").join(path)
    }

    fn text(&self, path: &str) -> String {
        fs::read_to_string(self.inside(path)).unwrap()
    }
}

fn is_outside<T>(done: Result<T, Refused>) -> bool {
    matches!(done, Err(Refused::Outside))
}

#[test]
fn nothing_leads_outside() {
    let scene = scene();
    let files = &scene.files;
    let secret = scene.root.path().join("secret");
    let absolute = secret.to_str().unwrap();
    std::os::unix::fs::symlink(&secret, scene.inside("link")).unwrap();
    std::os::unix::fs::symlink(scene.root.path(), scene.inside("up")).unwrap();
    fs::create_dir(scene.inside("d")).unwrap();
    for path in [
        "../secret",
        "d/../../secret",
        "link",
        "up/secret",
        absolute,
        "/etc/passwd",
        "..",
        "up",
        "/no/such/thing",
    ] {
        assert!(is_outside(files.read(path)), "read {path}");
        assert!(is_outside(files.write(path, b"x")), "write {path}");
        assert!(is_outside(files.append(path, b"x")), "append {path}");
        assert!(is_outside(files.touch(path)), "touch {path}");
        assert!(is_outside(files.list(path, false, "")), "list {path}");
        assert!(is_outside(files.stat(path)), "stat {path}");
        assert!(is_outside(files.remove(path)), "remove {path}");
        assert!(is_outside(files.copy(path, "copy")), "copy {path}");
        assert!(is_outside(files.rename(path, "moved")), "rename {path}");
        assert!(!files.exists(path, Wanted::Any), "exists {path}");
    }
    for path in ["../new", "up/new", "up/new/deep", "/tmp/new/deep"] {
        assert!(is_outside(files.write(path, b"x")), "write {path}");
        assert!(is_outside(files.make_directory(path)), "make {path}");
        files.write("a", b"a").unwrap();
        assert!(is_outside(files.copy("a", path)), "copy to {path}");
        assert!(is_outside(files.rename("a", path)), "rename to {path}");
    }
    assert_eq!(fs::read_to_string(secret).unwrap(), "secret");
    assert!(!scene.root.path().join("new").exists());
}

#[test]
fn links_and_parents_within_are_followed() {
    let scene = scene();
    let files = &scene.files;
    files.write("d/e/a.txt", b"one").unwrap();
    std::os::unix::fs::symlink("d/e/a.txt", scene.inside("near")).unwrap();
    assert_eq!(files.read("near").unwrap(), b"one");
    files.write("near", b"two").unwrap();
    assert_eq!(scene.text("d/e/a.txt"), "two");
    assert_eq!(files.read("d/../d/e/./a.txt").unwrap(), b"two");
    assert_eq!(
        files.read(scene.inside("near").to_str().unwrap()).unwrap(),
        b"two"
    );
    assert!(files.exists(".", Wanted::Directory));
    assert!(files.exists("d/e", Wanted::Directory) && !files.exists("d/e", Wanted::File));
    // A link whose target is missing leads nowhere, and nothing is made behind it.
    std::os::unix::fs::symlink("/tmp/aro-no-such-file", scene.inside("dangling")).unwrap();
    assert!(files.append("dangling", b"x").is_err());
    assert!(!Path::new("/tmp/aro-no-such-file").exists());
}

#[test]
fn files_are_copied_moved_and_removed() {
    let scene = scene();
    let files = &scene.files;
    files.append("log", b"one ").unwrap();
    files.append("log", b"two").unwrap();
    files.copy("log", "sub/copy").unwrap();
    files.rename("sub/copy", "log2").unwrap();
    assert_eq!(
        (scene.text("log"), scene.text("log2")),
        ("one two".into(), "one two".into())
    );
    files.copy("sub", "other").unwrap();
    files.write("sub/x", b"x").unwrap();
    files.copy("sub", "other").unwrap();
    assert_eq!(scene.text("other/x"), "x");
    assert!(matches!(
        files.copy("sub", "sub/inner"),
        Err(Refused::Nested)
    ));
    assert!(matches!(files.rename("sub", "."), Err(Refused::Nested)));
    assert!(matches!(files.remove("."), Err(Refused::Root)));
    files.copy("log", "log").unwrap();
    files.remove("log").unwrap();
    assert!(!files.exists("log", Wanted::Any));
    assert!(files.remove("sub").is_err(), "it is not empty");
    // No temporary file is left.
    let names = fs::read_dir(scene.inside("")).unwrap();
    assert!(
        names
            .flatten()
            .all(|entry| !entry.file_name().to_string_lossy().starts_with('.'))
    );
}

#[test]
fn limits_hold() {
    let scene = scene();
    let files = &scene.files;
    assert!(matches!(
        files.write("big", &[0; 101]),
        Err(Refused::TooLarge(100))
    ));
    fs::write(scene.inside("big"), [0; 101]).unwrap();
    assert!(matches!(files.read("big"), Err(Refused::TooLarge(100))));
    files.append("log", &[0; 60]).unwrap();
    assert!(matches!(
        files.append("log", &[0; 60]),
        Err(Refused::Full(100))
    ));
    for name in 0..4 {
        files.touch(&name.to_string()).unwrap();
    }
    assert!(matches!(
        files.list(".", false, ""),
        Err(Refused::TooMany(5))
    ));
    assert!(files.read("d/../..").is_err());
    assert!(files.read("").is_err());
}
