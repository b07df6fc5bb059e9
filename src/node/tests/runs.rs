//! Runs through thick and thin: members come and go, links break, everybody ends at the same head.

use super::mesh::{Mesh, Trainer, tiny_data, tiny_run};
use crate::aggregation::{Rule, Settings};
use crate::dag::{Reference, RunSpec, SignedVertex, VertexId};
use crate::effect::Command;
use crate::event::{Event, Reply, RunChange, RunState};
use crate::federated::Run;
use crate::neural::{self, Arena, Network};
use crate::node::Input;

pub(super) fn run_of(mesh: &Mesh, member: usize, run: &VertexId) -> Run {
    mesh.node(member).runs().get(run).expect("the member knows the run").clone()
}

pub(super) fn all_join(mesh: &mut Mesh, run: &VertexId, members: &[usize]) {
    mesh.run_for(500);
    for member in members {
        mesh.join(*member, run);
    }
}

pub(super) fn assert_same_head(mesh: &Mesh, run: &VertexId, members: &[usize]) {
    let heads: Vec<_> = members.iter().map(|member| run_of(mesh, *member, run).head()).collect();
    assert!(heads.windows(2).all(|pair| pair[0] == pair[1]), "{heads:?}");
}

#[test]
fn two_nodes_train_a_run_from_end_to_end() {
    let mut mesh = Mesh::running(1, 2);
    let run = mesh.start_run(0, tiny_run(5, 2));
    all_join(&mut mesh, &run, &[1]);
    mesh.finish(&run, &[0, 1], 60_000);
    assert_same_head(&mesh, &run, &[0, 1]);
    let first = run_of(&mesh, 0, &run);
    assert_eq!(first.contributors(&first.head()).len(), 2);
    let rounds = |event: &&Event| matches!(event, Event::Round(_));
    assert_eq!(mesh.members[1].events.iter().filter(rounds).count(), 5);
    let finished = |event: &Event| matches!(event, Event::Run { change: RunChange::Finished, .. });
    assert!(mesh.members[0].events.iter().any(finished));
    match mesh.ask(1, Command::Model { run: "tiny".to_owned() }) {
        Ok(Reply::Model(model)) => assert_eq!((model.round, model.weights.len()), (5, 4 * 22)),
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_run_goes_on_when_the_founder_leaves_for_good() {
    let mut mesh = Mesh::running(2, 4);
    let run = mesh.start_run(0, tiny_run(8, 4));
    all_join(&mut mesh, &run, &[1, 2, 3]);
    assert!(mesh.run_until(60_000, |mesh| run_of(mesh, 1, &run).round() >= 3));
    mesh.crash(0);
    mesh.finish(&run, &[1, 2, 3], 120_000);
    assert_same_head(&mesh, &run, &[1, 2, 3]);
    let last = run_of(&mesh, 1, &run);
    assert_eq!(last.contributors(&last.head()).len(), 3, "one deadline, then the rest go on");
}

#[test]
fn a_late_joiner_recomputes_everything_and_contributes() {
    let mut mesh = Mesh::new(3, 3);
    mesh.train_for(500);
    mesh.start(0);
    mesh.start(1);
    mesh.run_for(3_000);
    let run = mesh.start_run(0, tiny_run(20, 3));
    all_join(&mut mesh, &run, &[1]);
    assert!(mesh.run_until(120_000, |mesh| run_of(mesh, 0, &run).round() >= 3));
    mesh.start(2);
    mesh.run_for(3_000);
    let view = mesh.join(2, &run);
    assert!(view.contributing);
    mesh.finish(&run, &[0, 1, 2], 120_000);
    assert_same_head(&mesh, &run, &[0, 1, 2]);
    let last = run_of(&mesh, 2, &run);
    assert_eq!(last.contributors(&last.head()).len(), 3);
}

#[test]
fn a_partition_heals_to_one_head() {
    let mut mesh = Mesh::running(4, 5);
    mesh.train_for(500);
    let mut spec = tiny_run(40, 5);
    spec.deadline_ms = 1_500;
    let run = mesh.start_run(0, spec);
    all_join(&mut mesh, &run, &[1, 2, 3, 4]);
    assert!(mesh.run_until(60_000, |mesh| run_of(mesh, 4, &run).round() >= 2));
    mesh.cut(&[3, 4]);
    mesh.run_for(6_000);
    let heads = [run_of(&mesh, 0, &run), run_of(&mesh, 4, &run)];
    assert_ne!(heads[0].head(), heads[1].head(), "both sides went on");
    assert!(heads.iter().all(|run| run.round() > 2));
    mesh.heal();
    mesh.finish(&run, &[0, 1, 2, 3, 4], 300_000);
    mesh.run_for(20_000);
    assert_same_head(&mesh, &run, &[0, 1, 2, 3, 4]);
    let run = run_of(&mesh, 0, &run);
    assert_eq!(run.contributors(&run.head()).len(), 5, "the other side trains on the new head");
}

/// Four members finish a run at one head where a tenth of all messages is lost.
pub(super) fn slowed(seed: u64, spec: RunSpec) {
    let mut mesh = Mesh::running(seed, 4);
    mesh.faults.lost_per_mille = 100;
    mesh.faults.jitter_ms = 200;
    let run = mesh.start_run(0, spec);
    mesh.run_for(10_000);
    for member in 1..4 {
        mesh.join(member, &run);
    }
    mesh.finish(&run, &[0, 1, 2, 3], 600_000);
    mesh.faults.lost_per_mille = 0;
    mesh.run_for(60_000);
    assert_same_head(&mesh, &run, &[0, 1, 2, 3]);
}

#[test]
fn an_unreliable_network_only_slows_a_run() {
    for seed in 0..4 {
        slowed(100 + seed, tiny_run(5, 4));
    }
}

#[test]
fn a_slow_member_is_waited_for_until_the_deadline_only() {
    let mut mesh = Mesh::running(5, 3);
    mesh.members[2].train = Trainer::Silent;
    let run = mesh.start_run(0, tiny_run(6, 3));
    all_join(&mut mesh, &run, &[1, 2]);
    let began_ms = mesh.now_ms;
    mesh.finish(&run, &[0, 1, 2], 60_000);
    let took_ms = mesh.now_ms - began_ms;
    assert!((3_000..12_000).contains(&took_ms), "{took_ms} ms for one or two deadlines");
}

#[test]
fn a_member_that_comes_too_late_is_waited_for_in_the_next_round() {
    let mut mesh = Mesh::running(6, 3);
    let mut spec = tiny_run(12, 3);
    spec.deadline_ms = 1_000;
    mesh.train_for(300);
    mesh.members[2].train = Trainer::Honest(1_300);
    let run = mesh.start_run(0, spec);
    all_join(&mut mesh, &run, &[1, 2]);
    assert!(mesh.run_until(60_000, |mesh| run_of(mesh, 0, &run).round() >= 2));
    mesh.members[2].train = Trainer::Honest(400);
    mesh.finish(&run, &[0, 1, 2], 60_000);
    let last = run_of(&mesh, 0, &run);
    assert_eq!(last.contributors(&last.head()).len(), 3);
}

#[test]
fn leaving_and_joining_again_works_in_the_middle_of_a_run() {
    let mut mesh = Mesh::running(7, 3);
    let run = mesh.start_run(0, tiny_run(12, 3));
    all_join(&mut mesh, &run, &[1, 2]);
    assert!(mesh.run_until(60_000, |mesh| run_of(mesh, 0, &run).round() >= 2));
    let left = mesh.ask(2, Command::LeaveRun { run: run.to_string() }).unwrap();
    assert!(matches!(left, Reply::Run(view) if !view.contributing));
    let round = run_of(&mesh, 0, &run).round();
    assert!(mesh.run_until(60_000, |mesh| run_of(mesh, 0, &run).round() >= round + 3));
    let without = run_of(&mesh, 0, &run);
    assert_eq!(without.contributors(&without.head()).len(), 2);
    mesh.join(2, &run);
    mesh.finish(&run, &[0, 1, 2], 60_000);
    let last = run_of(&mesh, 0, &run);
    assert_eq!(last.contributors(&last.head()).len(), 3);
}

#[test]
fn a_diverging_member_warns_its_user_and_harms_nobody() {
    let mut mesh = Mesh::running(8, 3);
    mesh.members[1].train = Trainer::Diverges;
    let run = mesh.start_run(0, tiny_run(3, 3));
    all_join(&mut mesh, &run, &[1, 2]);
    mesh.finish(&run, &[0, 1, 2], 60_000);
    let warned =
        |event: &Event| matches!(event, Event::Warning(p) if p.code == "training-unusable");
    assert!(mesh.members[1].events.iter().any(warned));
    let last = run_of(&mesh, 0, &run);
    assert_eq!(last.contributors(&last.head()).len(), 2);
}

/// Who comes late has the weights of no round, and needs those of two for the next one.
#[test]
fn a_run_with_server_momentum_is_followed_by_who_comes_late() {
    let mut mesh = Mesh::running(11, 3);
    mesh.train_for(300);
    let spec = RunSpec { server_momentum: Some(0.5), ..tiny_run(30, 4) };
    let run = mesh.start_run(0, spec);
    all_join(&mut mesh, &run, &[1, 2]);
    assert!(mesh.run_until(60_000, |mesh| run_of(mesh, 1, &run).round() >= 3));
    mesh.add_member(3);
    let address = mesh.address(0);
    mesh.start_with(3, vec![address]);
    mesh.run_for(2_000);
    mesh.join(3, &run);
    mesh.finish(&run, &[0, 1, 2, 3], 120_000);
    let last = run_of(&mesh, 3, &run);
    assert_eq!(last.contributors(&last.head()).len(), 4);
    assert!((0..4).all(|member| run_of(&mesh, member, &run).head() == last.head()));
}

/// How well the last weights of a run of five, in which one lies, read points of everybody.
fn accuracy_with_a_liar(options: RunSpec) -> f64 {
    let mut mesh = Mesh::running(10, 5);
    mesh.members[2].train = Trainer::Lies;
    let spec = RunSpec { updates_min: 4, ..options };
    let run = mesh.start_run(0, spec.clone());
    all_join(&mut mesh, &run, &[1, 2, 3, 4]);
    assert!(mesh.run_until(120_000, |mesh| run_of(mesh, 1, &run).round() >= 4));
    let model = mesh.ask(1, Command::Model { run: "tiny".to_owned() });
    let Ok(Reply::Model(model)) = model else { panic!("{model:?}") };
    let weights = neural::weights_of_bytes(&model.weights, spec.model.parameter_count()).unwrap();
    let network = Network::from_weights(&spec.model, &weights).unwrap();
    let of = |seed| network.evaluate(&mut Arena::new(), &tiny_data(seed)).unwrap().accuracy;
    (20..40).map(|seed| of(seed).unwrap()).sum::<f64>() / 20.0
}

#[test]
fn a_member_that_lies_spoils_a_mean_and_no_rule() {
    let spoiled = accuracy_with_a_liar(tiny_run(12, 5));
    assert!(spoiled < 0.6, "the control: {spoiled}");
    for rule in [Rule::Median, Rule::Krum, Rule::GeometricMedian, Rule::CenteredClipping] {
        let byzantine = u32::from(rule != Rule::Krum);
        let settings = Settings { rule, byzantine, radius: 0.0, mixing: byzantine > 0 };
        let held = accuracy_with_a_liar(RunSpec { aggregation: Some(settings), ..tiny_run(12, 5) });
        assert!(held > 0.75, "{}: {held}, the mean {spoiled}", rule.name());
    }
}

/// Trusted rows are in the first vertex, so that who comes late recomputes rounds like the others.
#[test]
fn trusted_rows_hold_against_who_lies() {
    let reference = Some(Reference::of(&tiny_data(90)));
    let held = accuracy_with_a_liar(RunSpec { reference, ..tiny_run(12, 5) });
    assert!(held > 0.75, "{held}");
}

#[test]
fn members_find_one_another_through_the_founder() {
    let mut mesh = Mesh::running(9, 6);
    for member in 0..6 {
        assert_eq!(mesh.members[member].links.len(), 5, "member {member}");
    }
    mesh.crash(0);
    mesh.run_for(1_000);
    match mesh.ask(3, Command::LinkInfo) {
        Ok(Reply::Link(link)) => assert!(link.addresses.len() >= 2, "{link:?}"),
        other => panic!("{other:?}"),
    }
    // A new member that only ever heard of member 3 finds the others.
    mesh.add_member(6);
    let address = mesh.address(3);
    mesh.start_with(6, vec![address]);
    mesh.run_for(10_000);
    assert_eq!(mesh.members[6].links.len(), 5);
}

/// Neither of two can be dialled, so they never meet; then a relay gives one of them an address.
#[test]
fn an_address_that_comes_later_is_told_and_dialled() {
    let mut mesh = Mesh::new(12, 4);
    for member in [2, 3] {
        mesh.members[member].listens = false;
    }
    (0..4).for_each(|member| mesh.start(member));
    mesh.run_for(20_000);
    assert_eq!(mesh.members[3].links, [0, 1].into());
    mesh.members[2].listens = true;
    let addresses = vec![mesh.address(2)];
    mesh.poke(2, Input::Listening { addresses });
    mesh.run_for(20_000);
    assert_eq!(mesh.members[3].links, [0, 1, 2].into());
}

#[test]
fn a_member_that_cannot_listen_keeps_its_place_when_the_founder_leaves() {
    let mut mesh = Mesh::new(10, 4);
    mesh.members[3].listens = false;
    for member in 0..4 {
        mesh.start(member);
    }
    mesh.run_for(10_000);
    let run = mesh.start_run(0, tiny_run(6, 4));
    all_join(&mut mesh, &run, &[1, 2, 3]);
    assert!(mesh.run_until(60_000, |mesh| run_of(mesh, 3, &run).round() >= 2));
    mesh.crash(0);
    mesh.finish(&run, &[1, 2, 3], 120_000);
    assert_same_head(&mesh, &run, &[1, 2, 3]);
}

#[test]
fn commands_that_cannot_work_say_why() {
    let mut mesh = Mesh::running(11, 1);
    let code = |reply: Result<Reply, crate::event::Problem>| reply.unwrap_err().code;
    let unknown = Command::JoinRun { run: "nothing".to_owned(), samples: 1 };
    assert_eq!(code(mesh.ask(0, unknown)), "run-unknown");
    let run = mesh.start_run(0, tiny_run(3, 2));
    let none = Command::JoinRun { run: "tiny".to_owned(), samples: 0 };
    assert_eq!(code(mesh.ask(0, none)), "run-samples");
    let mut spec = tiny_run(3, 2);
    spec.learning_rate = f32::NAN;
    let bad = Command::StartRun { spec: Box::new(spec), samples: 3 };
    assert_eq!(code(mesh.ask(0, bad)), "vertex-range");
    let address = Command::Dial { address: "http://example.org".to_owned() };
    assert_eq!(code(mesh.ask(0, address)), "address-invalid");
    let leave = mesh.command(0, Command::LeaveRun { run: "nothing".to_owned() });
    let left = mesh.members[0].replies.remove(&leave).expect("answered at once");
    assert_eq!(code(left), "run-unknown");
    let again = Command::StartRun { spec: Box::new(tiny_run(3, 2)), samples: 3 };
    assert_eq!(code(mesh.ask(0, again)), "run-exists");
    match mesh.ask(0, Command::Runs) {
        Ok(Reply::Runs(runs)) => {
            let view = runs.iter().find(|view| view.run == run).unwrap();
            assert_eq!((view.state, view.round), (RunState::Waiting, 0));
            assert!(view.contributing && view.weights.is_some());
        }
        other => panic!("{other:?}"),
    }
    assert!(matches!(mesh.ask(0, Command::Stop), Ok(Reply::Done)));
    assert_eq!(code(mesh.ask(0, Command::Status)), "node-stopped");
}

#[test]
fn a_name_is_taken_from_the_moment_its_run_is_being_started() {
    let mut mesh = Mesh::running(14, 1);
    let start = || Command::StartRun { spec: Box::new(tiny_run(3, 2)), samples: 3 };
    let (first, second) = (mesh.command(0, start()), mesh.command(0, start()));
    mesh.run_for(5_000);
    assert!(mesh.members[0].replies[&first].is_ok());
    assert_eq!(mesh.members[0].replies[&second].as_ref().unwrap_err().code, "run-exists");
}

#[test]
fn runs_that_share_a_name_are_told_apart_by_id() {
    let mut mesh = Mesh::running(15, 2);
    mesh.cut(&[1]);
    let runs = [mesh.start_run(0, tiny_run(3, 3)), mesh.start_run(1, tiny_run(3, 3))];
    mesh.heal();
    assert!(mesh.run_until(60_000, |mesh| mesh.node(0).runs().get(&runs[1]).is_some()));
    let problem = mesh.ask(0, Command::Model { run: "tiny".to_owned() }).unwrap_err();
    assert_eq!(problem.code, "run-ambiguous");
    for run in runs {
        assert!(problem.message.contains(&run.to_string()), "{}", problem.message);
        assert!(mesh.ask(0, Command::Model { run: run.to_string() }).is_ok());
    }
}

#[test]
fn a_finished_run_shows_who_contributed_and_nobody_contributing() {
    let mut mesh = Mesh::running(16, 2);
    let run = mesh.start_run(0, tiny_run(2, 2));
    all_join(&mut mesh, &run, &[1]);
    mesh.finish(&run, &[0, 1], 60_000);
    mesh.ask(1, Command::LeaveRun { run: run.to_string() }).unwrap();
    mesh.run_for(5_000);
    for member in 0..2 {
        let view = mesh.node(member).run_view(&run_of(&mesh, member, &run));
        assert_eq!(view.state, RunState::Finished);
        assert!(!view.contributing);
        assert_eq!(view.members.len(), 2);
    }
}

#[test]
fn a_round_costs_one_update_of_each_member_and_one_aggregate() {
    let (members, rounds) = (6, 10);
    let mut mesh = Mesh::running(13, members);
    let run = mesh.start_run(0, tiny_run(rounds, 6));
    all_join(&mut mesh, &run, &[1, 2, 3, 4, 5]);
    let before = mesh.node(0).graph().len();
    let effects = |mesh: &Mesh| mesh.members.iter().map(|member| member.effects).sum::<u64>();
    let effects_before = effects(&mesh);
    mesh.finish(&run, &[0, 1, 2, 3, 4, 5], 60_000);
    let vertices = mesh.node(0).graph().len() - before;
    assert!(vertices <= 7 * 10, "{vertices} vertices");
    let each = (effects(&mesh) - effects_before) / 60;
    assert!(each < 60, "{each} effects of a member for a round");
}

#[test]
fn the_same_seed_gives_the_same_history() {
    let history = || {
        let mut mesh = Mesh::running(12, 3);
        let run = mesh.start_run(0, tiny_run(4, 3));
        all_join(&mut mesh, &run, &[1, 2]);
        mesh.finish(&run, &[0, 1, 2], 60_000);
        let ids: Vec<_> = mesh.node(2).graph().iter().map(SignedVertex::id).collect();
        (ids, mesh.members.iter().map(|member| member.effects).collect::<Vec<_>>())
    };
    assert_eq!(history(), history());
}
