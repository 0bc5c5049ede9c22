//! A test window in physical units and the label that the classifier gives it.

pub const LABEL: usize = 1;

#[rustfmt::skip]
#[allow(clippy::approx_constant, clippy::excessive_precision)]
pub const WINDOW: [f32; 8] = [
    -0.38340655, -58.239098, 0.9786611, 219.71591, -0.9655278, -1.7344214, -0.3667434, 49.543842,
];
