//! The class `MeshNode` as JavaScript uses it, over sockets and a store in memory.

use js_sys::{Promise, Uint8Array};
use synaptic_mesh::platform;
use synaptic_mesh::wasm::node::{MeshNode, generate_network_id, generate_secrets, inspect_secrets};
use wasm_bindgen::convert::TryFromJsValue;
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;
use wasm_bindgen_test::wasm_bindgen_test;

use crate::host::{self, get, set, value};

async fn settled(promise: Promise) -> Result<JsValue, JsValue> {
    JsFuture::from(promise).await
}

fn text(object: &JsValue, name: &str) -> String {
    get(object, name).as_string().unwrap_or_default()
}

/// Options for a node of `network` over `host`, in memory, that listens.
fn options(network: &str, host: &JsValue) -> JsValue {
    let options =
        value("{ storage: { kind: 'memory' }, listen: [{ host: '127.0.0.1', port: 0 }] }");
    set(&options, "network", &network.into());
    set(&options, "host", host);
    set(&options, "secrets", &Uint8Array::from(&generate_secrets().unwrap()[..]));
    options
}

async fn create(options: &JsValue) -> MeshNode {
    let node = settled(MeshNode::create(options.clone())).await.unwrap();
    MeshNode::try_from_js_value(node).unwrap()
}

/// The next event of this type.
async fn event(node: &MeshNode, kind: &str) -> JsValue {
    for _ in 0..1_000 {
        let event = settled(node.next_event()).await.unwrap();
        assert!(!event.is_null(), "events ended before {kind}");
        if text(&event, "type") == kind {
            return event;
        }
    }
    panic!("a thousand events without {kind}");
}

#[wasm_bindgen_test]
async fn two_nodes_meet_and_one_leaves() {
    let hub = host::hub();
    let network = generate_network_id().unwrap();
    let a = create(&options(&network, &host::host(&hub, "{}"))).await;
    let addresses = get(&event(&a, "ready").await, "addresses");
    let options = options(&network, &host::host(&hub, "{}"));
    set(&options, "bootstrap", &addresses);
    let b = create(&options).await;
    assert_eq!(text(&event(&a, "peer").await, "id"), b.node_id());
    assert_eq!(text(&event(&b, "peer").await, "id"), a.node_id());

    let status = settled(b.status()).await.unwrap();
    assert_eq!(text(&status, "nodeId"), b.node_id());
    let peer = get(&get(&status, "peers"), "0");
    assert_eq!([text(&peer, "transport"), text(&peer, "path")], ["ws", "direct"]);
    assert_eq!(text(&get(&status, "storage"), "kind"), "memory");

    settled(a.stop()).await.unwrap();
    let left = event(&b, "peer").await;
    assert_eq!(text(&left, "state"), "disconnected");
    settled(b.stop()).await.unwrap();
}

#[wasm_bindgen_test]
async fn a_node_goes_on_from_its_store() {
    let (hub, network) = (host::hub(), generate_network_id().unwrap());
    let (options, store) = (options(&network, &host::host(&hub, "{}")), host::store());
    let lent = value("{ kind: 'host' }");
    set(&lent, "store", &store);
    set(&options, "storage", &lent);
    let first = create(&options).await;
    event(&first, "ready").await;
    // The identity vertex is written behind the start.
    while settled(first.status()).await.is_ok_and(|status| get(&status, "vertices") == 0) {
        platform::sleep(5).await;
    }
    settled(first.stop()).await.unwrap();
    assert_eq!(get(&store, "closed"), JsValue::TRUE);

    let again = create(&options).await;
    assert_eq!(again.node_id(), first.node_id());
    let status = settled(again.status()).await.unwrap();
    assert_eq!(get(&status, "vertices"), 1);
    assert_eq!(text(&get(&status, "storage"), "kind"), "sqlite");
    assert!(get(&get(&status, "storage"), "bytes").as_f64().unwrap() > 3_000.0);
    settled(again.stop()).await.unwrap();
}

#[wasm_bindgen_test]
async fn options_that_are_wrong_are_named() {
    let network = generate_network_id().unwrap();
    let table = [
        ("network", "'no network'", "bad-network", "network"),
        ("network", "undefined", "bad-argument", "network is missing"),
        ("secrets", "new Uint8Array(3)", "bad-secrets", "3 bytes"),
        ("secrets", "'text'", "bad-argument", "Uint8Array"),
        ("host", "{}", "bad-host", "host.dial is not a function"),
        ("storage", "{ kind: 'tape' }", "bad-argument", "memory"),
        ("storage", "{ kind: 'host', store: {} }", "storage-unavailable", "store.get"),
        ("listen", "[{ host: '127.0.0.1', port: 70000 }]", "bad-argument", "port"),
        ("listen", "[{ host: 'a b', port: 0 }]", "bad-argument", "host"),
        ("bootstrap", "'one'", "bad-argument", "array"),
    ];
    for (name, wrong, code, says) in table {
        let options = options(&network, &host::host(&host::hub(), "{}"));
        set(&options, name, &value(wrong));
        let error = settled(MeshNode::create(options)).await.unwrap_err();
        assert_eq!(text(&error, "code"), code, "{name}: {wrong}");
        let message = text(&error, "message");
        assert!(message.contains(says), "{name}: {wrong}: {message}");
        assert!(!text(&error, "hint").is_empty());
        assert!(error.is_instance_of::<js_sys::Error>());
    }
    let error = settled(MeshNode::create(JsValue::NULL)).await.unwrap_err();
    assert_eq!(text(&error, "message"), "options must be an object");
}

#[wasm_bindgen_test]
async fn a_busy_port_fails_the_start_and_closes_the_store() {
    let (hub, network) = (host::hub(), generate_network_id().unwrap());
    let a = create(&options(&network, &host::host(&hub, "{}"))).await;
    let ready = event(&a, "ready").await;
    let address = text(&get(&ready, "addresses"), "0");
    let port: f64 = address.split('/').nth(4).unwrap().parse().unwrap();
    let (options, store) = (options(&network, &host::host(&hub, "{}")), host::store());
    let lent = value("{ kind: 'host' }");
    set(&lent, "store", &store);
    set(&options, "storage", &lent);
    set(&get(&get(&options, "listen"), "0"), "port", &port.into());
    let error = settled(MeshNode::create(options)).await.unwrap_err();
    assert_eq!(text(&error, "code"), "address-in-use");
    assert_eq!(get(&store, "closed"), JsValue::TRUE);
    settled(a.stop()).await.unwrap();
}

#[wasm_bindgen_test]
async fn a_stopped_node_says_so_to_everyone() {
    let network = generate_network_id().unwrap();
    let node = create(&options(&network, &host::host(&host::hub(), "{}"))).await;
    let stopping = [node.stop(), node.stop()];
    for promise in stopping {
        settled(promise).await.unwrap();
    }
    settled(node.stop()).await.unwrap();
    for promise in [node.status(), node.runs(), node.dial("/ip4/127.0.0.1/tcp/1/ws".to_owned())] {
        assert_eq!(text(&settled(promise).await.unwrap_err(), "code"), "node-stopped");
    }
    let result = value("{ error: 'too late' }");
    assert_eq!(text(&node.trained(1.0, &result).unwrap_err(), "code"), "node-stopped");
    event(&node, "stopped").await;
    for _ in 0..2 {
        assert!(settled(node.next_event()).await.unwrap().is_null());
    }
}

#[wasm_bindgen_test]
async fn readers_of_events_are_bounded() {
    let network = generate_network_id().unwrap();
    let node = create(&options(&network, &host::host(&host::hub(), "{}"))).await;
    event(&node, "ready").await;
    let waiting: Vec<Promise> = (0..64).map(|_| node.next_event()).collect();
    platform::sleep(1).await;
    assert_eq!(text(&settled(node.next_event()).await.unwrap_err(), "code"), "busy");
    settled(node.stop()).await.unwrap();
    // One of them hears of the end, the others that there is nothing more.
    for promise in waiting {
        settled(promise).await.unwrap();
    }
}

#[wasm_bindgen_test]
async fn a_full_disk_is_told_and_survived() {
    let (hub, network) = (host::hub(), generate_network_id().unwrap());
    let (options, store) = (options(&network, &host::host(&hub, "{}")), host::store());
    let full = "Object.assign(new Error('no space left'), { code: 'ENOSPC' })";
    set(&store, "fails", &value(full));
    let lent = value("{ kind: 'host' }");
    set(&lent, "store", &store);
    set(&options, "storage", &lent);
    let node = create(&options).await;
    let warning = event(&node, "warning").await;
    assert_eq!(text(&warning, "code"), "storage-full");
    assert!(text(&warning, "message").contains("no space left"));
    settled(node.status()).await.unwrap();
    settled(node.stop()).await.unwrap();
}

#[wasm_bindgen_test]
fn identities_are_fresh_and_readable() {
    let secrets = generate_secrets().unwrap();
    assert_ne!(secrets, generate_secrets().unwrap());
    let seen = inspect_secrets(&secrets).unwrap();
    assert_eq!(text(&seen, "nodeId").len(), 52);
    assert!(text(&seen, "peerId").starts_with("12D3KooW"));
    assert_eq!(text(&inspect_secrets(&[1, 2]).unwrap_err(), "code"), "bad-secrets");
}
