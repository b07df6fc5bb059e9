//! The layout of the repository as a test: floors, purity, platforms, boundary, size, docs,
//! agreement and leftovers. Plain text is read line by line, as rustfmt leaves it; what needs
//! types is left to clippy. Every rule has a control below that must fail.
//!
//! Idea: tigerbeetle's `tidy.zig` and rust-analyzer's "all code invariants are tests".

use std::collections::BTreeMap;
use std::{fs, path::Path};

/// Modules from the ground up, one row per floor. A module may use only what stands before it.
const FLOORS: &[&[&str]] = &[
    &["limits", "clock", "math", "rng", "rate", "units", "simd"],
    &["crypto", "tensor"],
    &["neural", "aggregation", "compression", "privacy", "masking"],
    &["identity", "dag", "sync", "ledger", "consensus", "sampling", "genesis", "snapshot"],
    &["federated", "group", "sealed", "onion"],
    &["message", "event", "effect", "node"],
    &["platform", "storage", "channel", "webrtc", "net", "runtime", "sim"],
    &["wasm"],
];
/// Floors below this one are pure: values in, values out.
const FLOOR_DRIVERS: usize = 6;

const FILE_LINES_MAX: usize = 600;
const FUNCTION_LINES_MAX: usize = 70;
const LINE_CHARS_MAX: usize = 100;
const FILE_BYTES_MAX: usize = 1 << 20;

/// `(rule, path, reason)`. The table may only shrink: a row that excuses nothing fails the test.
const EXCEPTIONS: &[(&str, &str, &str)] = &[];

/// Spelled in two halves, so that this file does not break its own rule.
const LEFTOVERS: &[&str] =
    &[concat!("FIX", "ME"), concat!("XX", "X"), concat!("dbg", "!("), concat!("todo", "!(")];
const IMPURE: &[&str] = &[
    "async",
    ".await",
    "tokio",
    "futures",
    "web_sys",
    "js_sys",
    "wasm_bindgen",
    "Instant::now",
    "SystemTime",
    "HashMap",
    "HashSet",
    "println!",
];
const PLATFORM: &[&str] = &["target_arch", "target_os", "target_family"];
const PLATFORM_HOMES: &[&str] =
    &["src/platform", "src/storage", "src/net/transport", "src/wasm", "src/lib.rs"];
const SKIPPED: &[&str] = &[".git", "target", "node_modules", "dist", "dist-sim", "pkg"];

/// Path relative to the repository, with `/`, to the text of the file (empty if not text).
type Tree = BTreeMap<String, String>;

struct Problem {
    rule: &'static str,
    path: String,
    line: usize,
    says: String,
}

fn problem(rule: &'static str, path: &str, line: usize, says: impl Into<String>) -> Problem {
    Problem { rule, path: path.to_owned(), line, says: says.into() }
}

fn check(tree: &Tree) -> Vec<Problem> {
    let mut found = Vec::new();
    for (path, text) in tree {
        let source = path.starts_with("src/");
        let rust = Path::new(path).extension().is_some_and(|extension| extension == "rs");
        if rust && source {
            order(path, text, &mut found);
            purity(path, text, &mut found);
            platforms(path, text, &mut found);
            boundary(path, text, &mut found);
            reachable(tree, path, &mut found);
        }
        if rust {
            size(path, text, &mut found);
            leftovers(path, text, &mut found);
            if !text.starts_with("//!") {
                found.push(problem("docs", path, 1, "open with `//!`: what it is and why"));
            }
        } else if [".ts", ".tsx", ".mjs"].iter().any(|end| path.ends_with(end)) {
            file_size(path, text, &mut found);
            leftovers(path, text, &mut found);
        }
    }
    lib_order(tree, &mut found);
    limits(tree, &mut found);
    agreement(tree, &mut found);
    found
}

// ---- order, purity, platforms, boundary -------------------------------------------------------

/// Floor and place of the module that a file under `src/` belongs to; `None` for `lib.rs`.
fn place(module: &str) -> Option<(usize, usize)> {
    let mut place = 0;
    for (floor, row) in FLOORS.iter().enumerate() {
        for name in *row {
            if *name == module {
                return Some((floor, place));
            }
            place += 1;
        }
    }
    None
}

fn module_of(path: &str) -> &str {
    let inner = path.trim_start_matches("src/");
    inner.split(['/', '.']).next().unwrap_or(inner)
}

/// The code of a file: line numbers from one, comments cut away.
fn code(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.lines().enumerate().map(|(index, line)| {
        let bare = line.trim_start();
        let code =
            if bare.starts_with("//") { "" } else { line.split(" // ").next().unwrap_or("") };
        (index + 1, code)
    })
}

fn order(path: &str, text: &str, found: &mut Vec<Problem>) {
    let module = module_of(path);
    if module == "lib" {
        return;
    }
    let Some((_, own)) = place(module) else {
        let says = format!("add `{module}` to FLOORS in tests/tidy.rs, on its floor");
        return found.push(problem("order", path, 1, says));
    };
    for (line, used) in modules_used(path, text) {
        if used != module && place(&used).is_some_and(|(_, other)| other > own) {
            let says =
                format!("`{module}` stands below `{used}`: move the code up, or the type down");
            found.push(problem("order", path, line, says));
        }
    }
}

/// Modules named by `crate::x`, `crate::{x, y::z}` and by `super::` chains that leave their own.
fn modules_used(path: &str, text: &str) -> Vec<(usize, String)> {
    let depth = path.split('/').count() - 1;
    let joined = code(text).map(|(_, line)| line).collect::<Vec<_>>().join("\n");
    let mut used = Vec::new();
    for prefix in ["crate::".to_owned(), "super::".repeat(depth)] {
        for (at, _) in joined.match_indices(&prefix) {
            // An inline test module is one level deeper: its last `super` is this file.
            if joined[..at].ends_with("super::") || joined[..at].ends_with('$') {
                continue;
            }
            let line = joined[..at].matches('\n').count() + 1;
            let rest = &joined[at + prefix.len()..];
            let names = if rest.starts_with('{') { group(rest) } else { vec![word(rest)] };
            used.extend(names.into_iter().map(|name| (line, name)));
        }
    }
    used
}

fn word(text: &str) -> String {
    text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect()
}

/// First words of the entries of `{a, b::{c, d}, e}`.
fn group(text: &str) -> Vec<String> {
    let (mut names, mut depth, mut entry) = (Vec::new(), 0, String::new());
    for character in text.chars() {
        match character {
            '{' => depth += 1,
            '}' if depth == 1 => break,
            '}' => depth -= 1,
            ',' if depth == 1 => names.push(word(std::mem::take(&mut entry).trim())),
            _ if depth == 1 => entry.push(character),
            _ => {}
        }
    }
    names.push(word(entry.trim()));
    names
}

/// Whether `line` holds `name` as a word of its own.
fn holds(line: &str, name: &str) -> bool {
    let inside = |c: char| c.is_alphanumeric() || c == '_';
    line.match_indices(name).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        let after = line[at + name.len()..].chars().next();
        let open = |side: Option<char>, edge: Option<char>| {
            !(side.is_some_and(inside) && edge.is_some_and(inside))
        };
        open(before, name.chars().next()) && open(after, name.chars().next_back())
    })
}

fn purity(path: &str, text: &str, found: &mut Vec<Problem>) {
    if place(module_of(path)).is_none_or(|(floor, _)| floor >= FLOOR_DRIVERS) {
        return;
    }
    for (line, code) in code(text) {
        for name in IMPURE.iter().filter(|name| holds(code, name)) {
            let says =
                format!("`{name}` below floor {FLOOR_DRIVERS}: take it as a value, or an effect");
            found.push(problem("purity", path, line, says));
        }
    }
}

fn platforms(path: &str, text: &str, found: &mut Vec<Problem>) {
    let home = PLATFORM_HOMES.iter().any(|home| path.starts_with(home));
    let simd = path.starts_with("src/simd");
    for (line, code) in code(text) {
        if !home && !simd && PLATFORM.iter().any(|name| holds(code, name)) {
            found.push(problem("platforms", path, line, "a platform `cfg` belongs to floor 6"));
        }
        if !simd && holds(code, "target_feature") {
            found.push(problem("platforms", path, line, "`target_feature` belongs to `simd`"));
        }
    }
}

fn boundary(path: &str, text: &str, found: &mut Vec<Problem>) {
    let wasm = path.starts_with("src/wasm");
    let mut attributes = String::new();
    for (line, code) in code(text) {
        if !wasm && code.contains("#[wasm_bindgen") {
            found.push(problem("boundary", path, line, "exports belong to `wasm`"));
        }
        let bare = code.trim_start();
        let public = bare.starts_with("pub fn") || bare.starts_with("pub async fn");
        let signature = code.replace("Error = JsValue", "").replace(", JsValue>", ">");
        if wasm && public && signature.contains("JsValue") && !attributes.contains("unchecked_") {
            let says = "a bare `JsValue`: name its TypeScript type with `unchecked_return_type`";
            found.push(problem("boundary", path, line, says));
        }
        let continues = bare.starts_with("#[") || (!attributes.is_empty() && !public);
        attributes = if continues { attributes + code } else { String::new() };
    }
}

// ---- size, docs, leftovers --------------------------------------------------------------------

/// Lines before the inline test module; a file of tests has none that count.
fn product_lines(path: &str, text: &str) -> usize {
    let all = text.lines().count();
    if path.ends_with("tests.rs") || path.contains("/test") || path.starts_with("tests/") {
        return 0;
    }
    let start = text.find("#[cfg(test)]\nmod tests {");
    start.map_or(all, |at| text[..at].lines().count())
}

fn file_size(path: &str, text: &str, found: &mut Vec<Problem>) {
    let lines = product_lines(path, text);
    if lines > FILE_LINES_MAX {
        let says = format!("{lines} lines of code, over {FILE_LINES_MAX}: split it by noun");
        found.push(problem("size", path, 1, says));
    }
}

fn size(path: &str, text: &str, found: &mut Vec<Problem>) {
    file_size(path, text, found);
    let product = product_lines(path, text);
    let mut open: Option<(usize, usize)> = None;
    for (index, line) in text.lines().enumerate() {
        let number = index + 1;
        if line.chars().count() > LINE_CHARS_MAX {
            found.push(problem("size", path, number, format!("over {LINE_CHARS_MAX} characters")));
        }
        if !line.is_ascii() {
            found.push(problem("size", path, number, "source is ASCII: write \\u{..} instead"));
        }
        let bare = line.trim_start();
        let indent = line.len() - bare.len();
        let opens = (bare.starts_with("fn ") || bare.contains(" fn ")) && !bare.starts_with("//");
        if opens && number <= product && !bare.ends_with([';', '}']) {
            open = Some((number, indent));
        } else if let Some((first, column)) = open
            && indent == column
            && bare.starts_with('}')
            && !bare.starts_with("} ")
        {
            let lines = number + 1 - first;
            if lines > FUNCTION_LINES_MAX {
                let says = format!("a function of {lines} lines, over {FUNCTION_LINES_MAX}");
                found.push(problem("size", path, first, says));
            }
            open = None;
        }
    }
}

fn leftovers(path: &str, text: &str, found: &mut Vec<Problem>) {
    for (index, line) in text.lines().enumerate() {
        for left in LEFTOVERS.iter().filter(|left| line.contains(*left)) {
            found.push(problem(
                "leftovers",
                path,
                index + 1,
                format!("`{left}`: do it or drop it"),
            ));
        }
    }
}

/// Every source file is named by a `mod` in its parent; otherwise the compiler never sees it.
fn reachable(tree: &Tree, path: &str, found: &mut Vec<Problem>) {
    if path == "src/lib.rs" {
        return;
    }
    let stem = path.trim_end_matches(".rs");
    let (folder, name) = stem.rsplit_once('/').unwrap_or(("src", stem));
    let parent = if folder == "src" { "src/lib.rs".to_owned() } else { format!("{folder}.rs") };
    let named = |text: &String| code(text).any(|(_, line)| holds(line, &format!("mod {name};")));
    if !tree.get(&parent).is_some_and(named) {
        let says = format!("no `mod {name};` in {parent}: the compiler never sees this file");
        found.push(problem("leftovers", path, 1, says));
    }
}

/// The crate prints its floors from the ground up, in the order of `FLOORS`.
fn lib_order(tree: &Tree, found: &mut Vec<Problem>) {
    let Some(text) = tree.get("src/lib.rs") else { return };
    let mut last = 0;
    for (line, code) in code(text) {
        let Some(module) = code.trim_start().strip_prefix("pub mod ") else { continue };
        let Some((_, place)) = place(&word(module)) else { continue };
        if place < last {
            found.push(problem(
                "order",
                "src/lib.rs",
                line,
                "print modules in the order of FLOORS",
            ));
        }
        last = place;
    }
}

/// A limit says its unit, and why it is this number (or is computed from another limit).
fn limits(tree: &Tree, found: &mut Vec<Problem>) {
    const UNITS: &[&str] =
        &["count", "byte", "kib", "second", "level", "point", "rounds", "no unit", "2^"];
    let of_limits = |path: &&String| *path == "src/limits.rs" || path.starts_with("src/limits/");
    for path in tree.keys().filter(of_limits) {
        let mut doc = String::new();
        for (index, line) in tree.get(path).into_iter().flat_map(|text| text.lines()).enumerate() {
            if let Some(comment) = line.strip_prefix("///") {
                doc += comment;
                continue;
            }
            if let Some(constant) = line.strip_prefix("pub const ") {
                let words = doc.to_lowercase();
                let derived =
                    constant.split('=').nth(1).is_some_and(|value| value.contains("_MAX"));
                let unit = UNITS.iter().any(|unit| words.contains(unit));
                let reason = derived
                    || [": ", ". ", "; ", ", so", ", should", "because"]
                        .iter()
                        .any(|mark| words.contains(mark));
                if !unit || !reason {
                    let says = "say the unit (bytes, count, milliseconds, no unit) and the reason";
                    found.push(problem("docs", path, index + 1, says));
                }
            }
            doc.clear();
        }
    }
}

// ---- agreement --------------------------------------------------------------------------------

/// What stands between `before` and the next `after`, at the first place where both are found.
fn between<'a>(text: &'a str, before: &str, after: &str) -> Option<&'a str> {
    let rest = &text[text.find(before)? + before.len()..];
    Some(&rest[..rest.find(after)?])
}

fn agreement(tree: &Tree, found: &mut Vec<Problem>) {
    let text = |path: &str| tree.get(path).map_or("", String::as_str);
    let version = between(text("Cargo.toml"), "\nversion = \"", "\"").unwrap_or("?");
    for path in
        ["package.json", "npm/package.json", "www/package.json", "pkg-template/package.json"]
    {
        let theirs = between(text(path), "\"version\": \"", "\"");
        if tree.contains_key(path) && theirs != Some(version) {
            let says = format!("version {} is not the crate's {version}", theirs.unwrap_or("?"));
            found.push(problem("agreement", path, 1, says));
        }
    }
    let heading = between(text("CHANGELOG.md"), "\n## ", "\n").unwrap_or("?");
    if tree.contains_key("CHANGELOG.md") && word_version(heading) != version {
        let says = format!("first heading is `{heading}`, the crate is {version}");
        found.push(problem("agreement", "CHANGELOG.md", 1, says));
    }
    let flags = between(text("wasm-pack.toml"), "\nrustflags = ", "\n");
    let tested = between(text(".cargo/config.toml"), "\nrustflags = ", "\n");
    if flags != tested {
        let says = "rustflags differ from .cargo/config.toml: tests would not run what is shipped";
        found.push(problem("agreement", "wasm-pack.toml", 1, says));
    }
    let mut table = "";
    for (index, line) in text("wasm-pack.toml").lines().enumerate() {
        table = if line.starts_with('[') { line } else { table };
        let is_shipped = table != "[simulator]" && line.starts_with("features = ");
        if is_shipped && line.contains("\"sim") {
            let says =
                "the simulator's signatures prove nothing: never build `sim` for an artifact";
            found.push(problem("agreement", "wasm-pack.toml", index + 1, says));
        }
    }
    if !text("Cargo.toml").contains("\nwasm-opt = false\n") {
        let says = "`wasm-opt = false` is gone: wasm-pack would download one of its own";
        found.push(problem("agreement", "Cargo.toml", 1, says));
    }
    for (line, code) in code(text("src/message.rs")) {
        let ids = code.split('"').skip(1).step_by(2).filter(|id| id.starts_with("/synaptic-mesh/"));
        for id in ids.filter(|id| !text("docs/wire.md").contains(id)) {
            let says = format!("`{id}` is not described in docs/wire.md");
            found.push(problem("agreement", "src/message.rs", line, says));
        }
    }
}

fn word_version(heading: &str) -> &str {
    heading.trim_start_matches('[').split([']', ' ']).next().unwrap_or("")
}

// ---- the repository itself --------------------------------------------------------------------

fn repository() -> (Tree, Vec<Problem>) {
    let (mut tree, mut found) = (Tree::new(), Vec::new());
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("a folder of the repository can be listed") {
            let path = entry.expect("a folder of the repository can be listed").path();
            let relative = path.strip_prefix(root).expect("below the root");
            let name = relative.to_string_lossy().replace('\\', "/");
            if SKIPPED.iter().any(|skip| name.rsplit('/').next() == Some(*skip)) {
                continue;
            }
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let bytes = fs::read(&path).unwrap_or_default();
            if bytes.len() > FILE_BYTES_MAX {
                found.push(problem(
                    "leftovers",
                    &name,
                    1,
                    "over 1 MiB: keep it out of the history",
                ));
            }
            tree.insert(name, String::from_utf8(bytes).unwrap_or_default());
        }
    }
    (tree, found)
}

#[test]
fn the_repository_keeps_its_own_rules() {
    let (tree, mut found) = repository();
    found.extend(check(&tree));
    for (rule, path, reason) in EXCEPTIONS {
        assert!(!reason.is_empty(), "{path}: an exception has a reason");
        let before = found.len();
        found.retain(|problem| (problem.rule, problem.path.as_str()) != (*rule, *path));
        assert!(
            found.len() < before,
            "EXCEPTIONS excuses nothing at {path} ({rule}): delete the row"
        );
    }
    let list: Vec<String> =
        found.iter().map(|p| format!("{}:{}: {} [{}]", p.path, p.line, p.says, p.rule)).collect();
    assert!(list.is_empty(), "{} problems\n{}\n", list.len(), list.join("\n"));
}

// ---- controls: each rule must fail on what it forbids -----------------------------------------

#[cfg(test)]
mod controls {
    use super::{FILE_LINES_MAX, FUNCTION_LINES_MAX, LEFTOVERS, Tree, check};

    /// A small repository without a problem, with one file replaced.
    fn rules_broken(path: &str, text: &str) -> Vec<&'static str> {
        let sound = [
            (
                "src/lib.rs",
                "//! Doc.\npub mod limits;\npub mod rng;\npub mod dag;\npub mod wasm;\n",
            ),
            (
                "src/limits.rs",
                "//! Doc.\n/// Bytes of a file. Arbitrary, sane.\npub const A_MAX: u8 = 1;\n",
            ),
            ("src/rng.rs", "//! Doc.\nuse crate::limits::A_MAX;\n"),
            ("src/dag.rs", "//! Doc.\nmod graph;\nuse crate::{limits::A_MAX, rng::Rng};\n"),
            ("src/dag/graph.rs", "//! Doc.\nuse super::super::rng::Rng;\nuse super::vertex;\n"),
            ("src/wasm.rs", "//! Doc.\n#[wasm_bindgen]\npub fn a() -> Result<u8, JsValue> {}\n"),
            ("Cargo.toml", "\nversion = \"1.2.3\"\nwasm-opt = false\n"),
            ("npm/package.json", "{ \"version\": \"1.2.3\" }"),
            ("CHANGELOG.md", "# Changes\n\n## 1.2.3 (soon)\n"),
            ("wasm-pack.toml", "[flags]\nrustflags = [\"a\"]\n"),
            (".cargo/config.toml", "[target]\nrustflags = [\"a\"]\n"),
            ("docs/wire.md", "`/synaptic-mesh/sync/1`"),
        ];
        let mut tree: Tree =
            sound.iter().map(|(path, text)| ((*path).to_owned(), (*text).to_owned())).collect();
        assert_eq!(check(&tree).len(), 0, "the sound repository has no problem");
        tree.insert(path.to_owned(), text.to_owned());
        check(&tree).iter().map(|problem| problem.rule).collect()
    }

    #[test]
    fn a_module_that_uses_one_above_it_is_found() {
        for text in [
            "//! Doc.\nuse crate::dag::Graph;\n",
            "//! Doc.\nuse crate::{\n    limits,\n    dag::{Graph, Vertex},\n};\n",
            "//! Doc.\nfn f() { super::dag::g() }\n",
        ] {
            assert_eq!(rules_broken("src/rng.rs", text), ["order"], "{text}");
        }
        assert_eq!(
            rules_broken("src/dag/graph.rs", "//! D.\nuse super::super::wasm;\n"),
            ["order"]
        );
        assert_eq!(rules_broken("src/attic.rs", "//! D.\n"), ["order", "leftovers"]);
        let lib = "//! D.\npub mod rng;\npub mod limits;\npub mod dag;\npub mod wasm;\n";
        assert_eq!(rules_broken("src/lib.rs", lib), ["order"]);
    }

    #[test]
    fn a_comment_about_a_module_above_is_not_a_use_of_it() {
        let text = "//! Doc.\n// as crate::dag does\nlet a = 1; // see crate::dag\n";
        assert!(rules_broken("src/rng.rs", text).is_empty());
    }

    #[test]
    fn clocks_tasks_and_random_order_are_found_below_the_drivers() {
        for name in super::IMPURE {
            let text = format!(
                "//! Doc.\nlet a = b{}{name};\n",
                if name.starts_with('.') { "" } else { " " }
            );
            assert_eq!(rules_broken("src/rng.rs", &text), ["purity"], "{name}");
        }
        assert!(rules_broken("src/rng.rs", "//! Doc.\nlet asynchronous = 1;\n").is_empty());
    }

    #[test]
    fn platform_switches_outside_their_homes_are_found() {
        let arch = "//! D.\n#[cfg(target_arch = \"wasm32\")]\n";
        assert_eq!(rules_broken("src/rng.rs", arch), ["platforms"]);
        let feature = "//! D.\n#[cfg(target_feature = \"simd128\")]\n";
        assert_eq!(rules_broken("src/wasm.rs", feature), ["platforms"]);
        assert!(rules_broken("src/wasm.rs", arch).is_empty());
    }

    #[test]
    fn an_export_outside_wasm_and_an_untyped_value_are_found() {
        assert_eq!(rules_broken("src/wasm.rs", "//! D.\npub fn a(b: JsValue) {}\n"), ["boundary"]);
        let typed =
            "//! D.\n#[wasm_bindgen(unchecked_return_type = \"A\")]\npub fn a() -> JsValue {}\n";
        assert!(rules_broken("src/wasm.rs", typed).is_empty());
        let export = "//! D.\n#[wasm_bindgen]\npub fn a() {}\n";
        assert_eq!(rules_broken("src/rng.rs", export), ["purity", "boundary"]);
    }

    #[test]
    fn long_files_functions_and_lines_are_found() {
        let file = format!("//! D.\n{}", "const A: u8 = 1;\n".repeat(FILE_LINES_MAX));
        assert_eq!(rules_broken("src/rng.rs", &file), ["size"]);
        let body = "    work();\n".repeat(FUNCTION_LINES_MAX - 1);
        assert_eq!(rules_broken("src/rng.rs", &format!("//! D.\nfn a() {{\n{body}}}\n")), ["size"]);
        assert_eq!(rules_broken("src/rng.rs", &format!("//! {}\n", "a".repeat(97))), ["size"]);
        assert_eq!(rules_broken("src/rng.rs", "//! \u{e9}\n"), ["size"]);
        assert_eq!(rules_broken("npm/src/a.ts", &"a\n".repeat(FILE_LINES_MAX + 1)), ["size"]);
    }

    #[test]
    fn tests_do_not_count_as_lines_of_code() {
        let tests =
            format!("//! D.\n#[cfg(test)]\nmod tests {{\n{}}}\n", "//\n".repeat(FILE_LINES_MAX));
        assert!(rules_broken("src/rng.rs", &tests).is_empty());
    }

    #[test]
    fn missing_documentation_is_found() {
        assert_eq!(rules_broken("src/rng.rs", "const A: u8 = 1;\n"), ["docs"]);
        for doc in ["/// A file. Arbitrary, sane.", "/// Bytes of a file", "// Bytes. Sane."] {
            let text = format!("//! D.\n{doc}\npub const A_MAX: u8 = 1;\n");
            assert_eq!(rules_broken("src/limits.rs", &text), ["docs"], "{doc}");
        }
    }

    #[test]
    fn versions_flags_and_protocols_that_disagree_are_found() {
        for (path, text) in [
            ("npm/package.json", "{ \"version\": \"1.2.4\" }"),
            ("CHANGELOG.md", "# Changes\n\n## 1.2.2\n"),
            (".cargo/config.toml", "[target]\nrustflags = [\"b\"]\n"),
            ("Cargo.toml", "\nversion = \"1.2.3\"\n"),
            ("wasm-pack.toml", "\nrustflags = [\"a\"]\nfeatures = [\"mesh\", \"sim\"]\n"),
            ("wasm-pack.toml", "\nrustflags = [\"a\"]\nfeatures = [\"sim-page\"]\n"),
        ] {
            assert_eq!(rules_broken(path, text), ["agreement"], "{path}");
        }
        let id = "//! D.\nconst A: &str = \"/synaptic-mesh/other/1\";\n";
        assert!(rules_broken("src/message.rs", id).contains(&"agreement"));
    }

    #[test]
    fn leftovers_and_files_that_nothing_names_are_found() {
        for left in LEFTOVERS {
            assert_eq!(rules_broken("src/rng.rs", &format!("//! D.\n{left}\n")), ["leftovers"]);
            assert_eq!(rules_broken("www/src/a.ts", &format!("// {left}\n")), ["leftovers"]);
        }
        assert_eq!(rules_broken("src/dag/lost.rs", "//! D.\n"), ["leftovers"]);
    }
}
