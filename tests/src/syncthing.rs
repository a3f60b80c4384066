//! Real Syncthing processes (Debian's) that carry one encrypted folder between directories, as people's computers do:
//! on loopback, on ports that the system chose, without discovery, relays or anybody's own configuration.
//!
//! They look at their directories when [`carry`](Syncthing::carry) says so and never else, so that a test knows what was
//! carried.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use reqwest::blocking::Client;
use serde_json::Value;

use crate::process::{Running, run};
use crate::wait;

const PROGRAM: &str = "syncthing";
const API_KEY: &str = "loopback-only";
/// The folder's id in Syncthing.
const FOLDER: &str = "encrypted";

/// One computer's Syncthing.
#[derive(Debug)]
struct Node {
    directory: PathBuf,
    /// Where its REST API listens.
    api: String,
    running: Running,
}

/// Some computers' Syncthing. They end when this is dropped.
#[derive(Debug)]
pub struct Syncthing {
    nodes: Vec<Node>,
    http: Client,
}

/// What Syncthing calls a computer, and where that keeps its keys.
struct Identity {
    id: String,
    home: PathBuf,
}

impl Syncthing {
    /// Starts one for each of `directories`, which are made; what they keep beside goes into `data`. `None` where
    /// Syncthing is not installed; with `CI` set it must be.
    #[must_use]
    pub fn start(data: &Path, directories: &[PathBuf]) -> Option<Self> {
        if Command::new(PROGRAM).arg("--version").output().is_err() {
            crate::skipped("no Syncthing (Debian: syncthing)");
            return None;
        }
        let homes = (0..directories.len()).map(|n| data.join(format!("syncthing-{n}")));
        let identities: Vec<Identity> = homes.map(Identity::make).collect();
        let mut nodes = Vec::new();
        let mut addresses: Vec<String> = Vec::new();
        for (identity, directory) in identities.iter().zip(directories) {
            // Whoever started before is called; whoever starts later calls.
            let peers: Vec<(&str, &str)> = identities
                .iter()
                .enumerate()
                .map(|(n, peer)| (peer.id.as_str(), addresses.get(n).map_or("dynamic", String::as_str)))
                .collect();
            let (node, address) = Node::start(identity, directory, &peers);
            nodes.push(node);
            addresses.push(address);
        }
        let http = Client::builder().no_proxy().timeout(Duration::from_secs(60)).build().unwrap();
        let all = Self { nodes, http };
        all.wait_for_connections(directories.len() - 1);
        Some(all)
    }

    /// Has everybody look at their directory, and waits until all directories hold the same.
    pub fn carry(&self) {
        for node in &self.nodes {
            self.post(node, &format!("db/scan?folder={FOLDER}"));
        }
        let mut last = Vec::new();
        wait::until_true("all directories hold the same", || {
            last = self.nodes.iter().map(|node| contents(&node.directory)).collect();
            last.windows(2).all(|pair| pair[0] == pair[1]) && self.nodes.iter().all(|node| self.is_idle(node))
        });
    }

    /// Cuts all connections, and has everybody take note of what is in their directory.
    pub fn part(&self) {
        for node in &self.nodes {
            self.post(node, "system/pause");
        }
        self.wait_for_connections(0);
    }

    /// Notes what was written while apart, and connects everybody again.
    pub fn meet(&self) {
        for node in &self.nodes {
            self.post(node, &format!("db/scan?folder={FOLDER}"));
        }
        for node in &self.nodes {
            self.post(node, "system/resume");
        }
        self.wait_for_connections(self.nodes.len() - 1);
    }

    fn wait_for_connections(&self, count: usize) {
        wait::until_true(&format!("everybody has {count} connections"), || {
            self.nodes.iter().all(|node| {
                let answer = self.get(node, "system/connections");
                let is_connected = |(_, peer): &(&String, &Value)| peer["connected"] == true;
                answer["connections"].as_object().unwrap().iter().filter(is_connected).count() == count
            })
        });
    }

    fn is_idle(&self, node: &Node) -> bool {
        let status = self.get(node, &format!("db/status?folder={FOLDER}"));
        status["state"] == "idle" && status["needTotalItems"] == 0
    }

    fn get(&self, node: &Node, path: &str) -> Value {
        let request = self.http.get(format!("{}/rest/{path}", node.api)).header("X-API-Key", API_KEY);
        let answer = request.send().unwrap().error_for_status().unwrap();
        serde_json::from_str(&answer.text().unwrap()).unwrap()
    }

    fn post(&self, node: &Node, path: &str) {
        let request = self.http.post(format!("{}/rest/{path}", node.api)).header("X-API-Key", API_KEY);
        request.send().unwrap().error_for_status().unwrap();
    }
}

impl Identity {
    fn make(home: PathBuf) -> Self {
        let mut command = Command::new(PROGRAM);
        command.args(["generate", "--skip-port-probing", "--no-default-folder", "--home"]).arg(&home);
        let made = run(command.env_clear().env("HOME", &home)).expect(0);
        let label = "Device ID: ";
        let id = made.stdout.lines().chain(made.stderr.lines()).find_map(|line| line.split_once(label));
        let id = id.unwrap_or_else(|| panic!("no device id in {made}")).1.trim().to_owned();
        Self { id, home }
    }
}

impl Node {
    /// Starts it, and returns it with the address at which it waits for others.
    fn start(own: &Identity, directory: &Path, peers: &[(&str, &str)]) -> (Self, String) {
        // Without the marker it takes the directory for one that is not mounted.
        fs::create_dir_all(directory.join(".stfolder")).unwrap();
        fs::write(own.home.join("config.xml"), configuration(directory, peers)).unwrap();
        let mut command = Command::new(PROGRAM);
        command.args(["serve", "--no-browser", "--no-upgrade", "--no-default-folder", "--home"]);
        // Without the process that watches over it, which would leave it behind when it is killed.
        command.arg(&own.home).env_clear().env("HOME", &own.home).env("STMONITORED", "yes");
        let mut running = Running::start(&mut command);
        let api = listening(&mut running, "GUI and API listening on ", "\n");
        let address = listening(&mut running, "TCP listener (", ")");
        let node = Self { directory: directory.into(), api: format!("http://{api}"), running };
        (node, format!("tcp://{address}"))
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        // Its database is in the test's own directory and nobody reads it again.
        self.running.signal(rustix::process::Signal::KILL);
    }
}

/// What the log says between two texts.
fn listening(running: &mut Running, before: &str, after: &str) -> String {
    wait::until(&format!("Syncthing says {before:?}"), || {
        let log = running.stdout_so_far();
        assert!(running.is_running(), "it has ended: {log}");
        let (address, _) = log.split_once(before)?.1.split_once(after)?;
        Some(address.trim().to_owned())
    })
}

/// The objects and whatever else lies there, but for Syncthing's own files.
fn contents(directory: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(directory).unwrap().flatten() {
        let name = entry.file_name().into_string().unwrap();
        if name != ".stfolder" {
            // One that is being exchanged right now is looked at again.
            found.insert(name, fs::read(entry.path()).unwrap_or_default());
        }
    }
    found
}

/// What one could not fetch at once, because another's news came before its own look, it tries again after a second and not
/// after a minute (`pullerPauseS`).
fn configuration(directory: &Path, peers: &[(&str, &str)]) -> String {
    let devices: String = peers.iter().map(|(id, _)| format!("<device id=\"{id}\"></device>\n")).collect();
    let device = |(id, address): &(&str, &str)| {
        format!("<device id=\"{id}\" name=\"{}\"><address>{address}</address></device>\n", &id[..7])
    };
    let known: String = peers.iter().map(device).collect();
    format!(
        "<configuration version=\"36\">
<folder id=\"{FOLDER}\" label=\"{FOLDER}\" path=\"{}\" type=\"sendreceive\" rescanIntervalS=\"0\"
    fsWatcherEnabled=\"false\" ignorePerms=\"true\">
<filesystemType>basic</filesystemType>
{devices}<markerName>.stfolder</markerName>
<maxConflicts>-1</maxConflicts>
<pullerPauseS>1</pullerPauseS>
</folder>
{known}<gui enabled=\"true\" tls=\"false\"><address>127.0.0.1:0</address><apikey>{API_KEY}</apikey></gui>
<options>
<listenAddress>tcp://127.0.0.1:0</listenAddress>
<globalAnnounceEnabled>false</globalAnnounceEnabled>
<localAnnounceEnabled>false</localAnnounceEnabled>
<relaysEnabled>false</relaysEnabled>
<natEnabled>false</natEnabled>
<startBrowser>false</startBrowser>
<reconnectionIntervalS>1</reconnectionIntervalS>
<urAccepted>-1</urAccepted>
<crashReportingEnabled>false</crashReportingEnabled>
<autoUpgradeIntervalH>0</autoUpgradeIntervalH>
<setLowPriority>false</setLowPriority>
</options>
</configuration>
",
        directory.display()
    )
}
