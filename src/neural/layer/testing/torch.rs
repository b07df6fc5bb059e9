//! Cases computed by PyTorch: see `tests/vectors/torch/README.md`.

use serde_json::Value;

/// One case.
#[derive(Debug)]
pub(in crate::neural::layer) struct Case(Value);

/// The cases of a file.
pub(in crate::neural::layer) fn cases(json: &str) -> Vec<Case> {
    let file: Value = serde_json::from_str(json).unwrap();
    file["cases"].as_array().unwrap().iter().cloned().map(Case).collect()
}

impl Case {
    pub(in crate::neural::layer) fn name(&self) -> &str {
        self.0["name"].as_str().unwrap()
    }

    pub(in crate::neural::layer) fn layer(&self) -> &str {
        self.0["layer"].as_str().unwrap()
    }

    /// A setting that is a count.
    pub(in crate::neural::layer) fn count(&self, setting: &str) -> u32 {
        u32::try_from(self.0["settings"][setting].as_u64().unwrap()).unwrap()
    }

    /// A setting that is true or false.
    pub(in crate::neural::layer) fn flag(&self, setting: &str) -> bool {
        self.0["settings"][setting].as_bool().unwrap()
    }

    /// The numbers of `x`, `dy`, `y` or `dx`.
    pub(in crate::neural::layer) fn numbers(&self, name: &str) -> Vec<f32> {
        values(&self.0[name])
    }

    /// The last two sizes of `x`: steps and features.
    pub(in crate::neural::layer) fn sequence(&self) -> (u32, u32) {
        let size = |axis: usize| self.0["x"]["shape"][axis].as_u64().unwrap();
        (u32::try_from(size(1)).unwrap(), u32::try_from(size(2)).unwrap())
    }

    /// One tensor of `parameters` or `gradients`, if the case has it.
    pub(in crate::neural::layer) fn tensor(&self, of: &str, name: &str) -> Option<Vec<f32>> {
        self.0[of].get(name).map(values)
    }

    /// A matrix of them, `[rows][columns]` there and `[columns][rows]` here.
    pub(in crate::neural::layer) fn turned(&self, of: &str, name: &str) -> Option<Vec<f32>> {
        let tensor = self.0[of].get(name)?;
        let columns = usize::try_from(tensor["shape"][1].as_u64().unwrap()).unwrap();
        let values = values(tensor);
        Some((0..columns).flat_map(|c| values.iter().copied().skip(c).step_by(columns)).collect())
    }
}

fn values(tensor: &Value) -> Vec<f32> {
    let number = |value: &Value| value.to_string().parse().unwrap();
    tensor["values"].as_array().unwrap().iter().map(number).collect()
}
