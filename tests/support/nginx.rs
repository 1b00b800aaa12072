//! A web server that takes files by PUT from who has a password, for one test, on a free loopback port: nginx.
//! Does not know what is put there.

use std::fs;
use std::process::{Child, Command};

use tempfile::TempDir;

use super::served::{digests, serve};

/// Who may write.
pub const USER: &str = "ada";
/// By what.
pub const PASSWORD: &str = "http-password-of-the-tests";

/// The server; it ends with its owner.
pub struct Nginx {
    child: Child,
    address: String,
    directory: TempDir,
}

const CONFIG: &str = "
daemon off; master_process off; worker_processes 1; pid DIR/pid; error_log DIR/error.log;
events { worker_connections 64; }
http {
    access_log off; client_max_body_size 0; client_body_temp_path DIR/temp;
    proxy_temp_path DIR/p; fastcgi_temp_path DIR/f; uwsgi_temp_path DIR/u; scgi_temp_path DIR/s;
    server {
        listen ADDRESS;
        root DIR/root;
        auth_basic 'files'; auth_basic_user_file DIR/users;
        location / { dav_methods PUT DELETE; create_full_put_path on; dav_access user:rw; }
        location /moved/ { return 301 /here/; }
        location /drop/ { if ($request_method != POST) { return 405; } return 201; }
        location /inbox/ { if ($request_method != POST) { return 404; } return 201; }
    }
}
";

impl Nginx {
    /// Starts one, with nothing to give out.
    pub fn start() -> Nginx {
        let directory = tempfile::Builder::new().prefix("forge-test-nginx-").tempdir().expect("a temporary directory");
        fs::create_dir(directory.path().join("root")).expect("a directory");
        let users = format!("{USER}:{{PLAIN}}{PASSWORD}\n");
        fs::write(directory.path().join("users"), users).expect("a file");
        let (child, address) = serve(|address| {
            let config = CONFIG.replace("DIR", &directory.path().display().to_string()).replace("ADDRESS", address);
            fs::write(directory.path().join("nginx.conf"), config).expect("a file");
            let mut nginx = Command::new("nginx");
            let at = |name: &str| directory.path().join(name);
            nginx.arg("-p").arg(directory.path()).arg("-c").arg(at("nginx.conf")).arg("-e").arg(at("error.log"));
            nginx
        });
        Nginx { child, address, directory }
    }

    /// Host and port.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// What it gives out: path and digest of each file.
    pub fn has(&self) -> Vec<String> {
        digests(&self.directory.path().join("root"), "")
    }

    /// Puts something there, as somebody else does.
    pub fn put(&self, path: &str, text: &str) {
        let path = self.directory.path().join("root").join(path);
        fs::create_dir_all(path.parent().expect("a directory")).expect("a directory");
        fs::write(path, text).expect("a file");
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
