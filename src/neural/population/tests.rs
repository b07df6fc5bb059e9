//! A population against networks of their own, bit for bit.

use super::*;
use crate::neural::arena::Arena;
use crate::neural::specification::Loss;

fn specification(hidden: Activation, output: Activation) -> Specification {
    Specification {
        inputs: Shape::Flat(3),
        layers: vec![Layer::dense(9, hidden), Layer::dense(5, output)],
        loss: Loss::Mse,
    }
}

/// Rows that are nothing in particular.
fn numbers(count: usize) -> Vec<f32> {
    let mut rng = Rng::from_u64(4);
    (0..count).map(|_| 2.0 * rng.normal_f32()).collect()
}

#[test]
fn every_member_gives_the_bits_of_a_network_of_its_own() {
    for hidden in Activation::ALL {
        for output in Activation::ALL {
            let specification = specification(hidden, output);
            let mut population = Population::new(&specification, 13, 7).unwrap();
            let inputs = numbers(13 * 3);
            let mut outputs = vec![0.0; 13 * 5];
            population.evaluate(&inputs, &mut outputs).unwrap();
            for (member, found) in outputs.chunks(5).enumerate() {
                let seed = 7 + u64::try_from(member).unwrap();
                let network = Network::new(&specification, seed).unwrap();
                let mut expected = [0.0; 5];
                let row = &inputs[member * 3..][..3];
                network.run(&mut Arena::new(), row, &mut expected).unwrap();
                let bits =
                    |numbers: &[f32]| numbers.iter().map(|n| n.to_bits()).collect::<Vec<_>>();
                assert_eq!(bits(found), bits(&expected), "{hidden:?} {output:?} {member}");
            }
        }
    }
}

#[test]
fn one_row_goes_through_all_members() {
    let specification = specification(Activation::Tanh, Activation::Linear);
    let mut population = Population::new(&specification, 10, 1).unwrap();
    let row = numbers(3);
    let (mut shared, mut apart) = (vec![0.0; 50], vec![0.0; 50]);
    population.evaluate(&row, &mut shared).unwrap();
    population.evaluate(&row.repeat(10), &mut apart).unwrap();
    assert_eq!(shared, apart);
    assert_ne!(shared[..5], shared[5..10]);
}

#[test]
fn members_are_copied_and_changed_alone() {
    let specification = specification(Activation::Sigmoid, Activation::Softmax);
    let mut population = Population::new(&specification, 17, 3).unwrap();
    let before: Vec<_> = (0..17).map(|member| population.weights(member).unwrap()).collect();
    population.copy(2, 16).unwrap();
    population.mutate(5, 0.1, 9).unwrap();
    for member in 0..17 {
        let now = population.weights(member).unwrap();
        match member {
            16 => assert_eq!(now, before[2]),
            5 => {
                let moved: f32 = now.iter().zip(&before[5]).map(|(a, b)| (a - b).abs()).sum();
                let mean = moved / f32::from(u16::try_from(now.len()).unwrap());
                assert!((0.06..0.1).contains(&mean), "mean of |normal| is 0.8 sigma: {mean}");
            }
            other => assert_eq!(now, before[other]),
        }
    }
    let mut again = Population::new(&specification, 17, 3).unwrap();
    again.mutate(5, 0.1, 9).unwrap();
    assert_eq!(again.weights(5).unwrap(), population.weights(5).unwrap());
}

#[test]
fn what_does_not_fit_is_refused() {
    let dense = specification(Activation::Relu, Activation::Linear);
    let mut population = Population::new(&dense, 4, 0).unwrap();
    assert!(matches!(population.evaluate(&[0.0; 5], &mut [0.0; 20]), Err(Error::Rows { .. })));
    assert!(matches!(population.evaluate(&[0.0; 3], &mut [0.0; 19]), Err(Error::Rows { .. })));
    assert!(matches!(population.weights(4), Err(Error::Member { .. })));
    assert!(matches!(population.copy(0, 9), Err(Error::Member { .. })));
    assert!(matches!(population.mutate(0, f32::NAN, 1), Err(Error::Option(_))));
    assert!(matches!(population.set_weights(0, &[1.0]), Err(Error::WeightsLength { .. })));
    assert!(matches!(Population::new(&dense, 0, 0), Err(Error::Option(_))));
    assert!(matches!(Population::new(&dense, u32::MAX, 0), Err(Error::Option(_))));
    let mut other = dense.clone();
    other.layers.insert(1, Layer::Dropout { rate_per_mille: 100 });
    assert!(matches!(Population::new(&other, 4, 0), Err(Error::Option(_))));
}
