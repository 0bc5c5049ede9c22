use crate::ffi::{RawDrift, RawResult};
use crate::{Label, CHANNELS, LABELS, OUTPUTS};

/// What a window is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// The label of this window alone.
    pub label: Label,
    /// As the network gives them.
    pub outputs: [i8; OUTPUTS],
    /// By label, in Q15: 32767 is 1. Within a [`Decision`] they are smoothed.
    pub probabilities: [i16; LABELS.len()],
    /// The largest of the probabilities less the next, in Q15.
    pub margin: i16,
}

impl Outcome {
    /// The probability of a label, from 0 to 1.
    pub fn probability(&self, label: Label) -> f32 {
        f32::from(self.probabilities[label as usize]) / 32768.0
    }

    pub(crate) fn from_raw(raw: &RawResult) -> Self {
        Self {
            label: Label::ALL[raw.window_label as usize],
            outputs: raw.outputs,
            probabilities: raw.probabilities,
            margin: raw.margin,
        }
    }
}

/// What the stream of samples is, once a window is full: smoothed over the last windows and debounced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decision {
    /// `None` as long as none has settled.
    pub label: Option<Label>,
    /// Whether the label is another than before.
    pub changed: bool,
    /// The newest window.
    pub window: Outcome,
}

impl Decision {
    pub(crate) fn from_raw(raw: &RawResult) -> Self {
        Self {
            label: usize::try_from(raw.label).ok().and_then(Label::from_index),
            changed: raw.changed != 0,
            window: Outcome::from_raw(raw),
        }
    }
}

/// How the sensor's data differ from the training data, by channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Drift {
    /// Samples that came in since the monitor was reset.
    pub samples: u32,
    /// In 1/256 of the training data's standard deviation.
    pub mean_shift: [i32; CHANNELS],
    /// Standard deviation: 256 is that of the training data.
    pub spread: [i32; CHANNELS],
    /// Share of samples at the ends of the input's range, in Q15.
    pub clipped: [i32; CHANNELS],
}

impl Drift {
    pub(crate) fn from_raw(raw: &RawDrift) -> Self {
        Self {
            samples: raw.samples,
            mean_shift: raw.mean_shift,
            spread: raw.spread,
            clipped: raw.clipped,
        }
    }
}

/// Why there is no result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Error {
    /// There is another [`Classifier`](crate::Classifier).
    InUse,
    /// A value is NaN, or becomes one.
    NotANumber,
    /// The network's constants are not those it was exported with.
    Damaged,
    /// This machine does not compute what the reference kernels do.
    Arithmetic,
}

impl core::fmt::Display for Error {
    fn fmt(&self, formatter: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        formatter.pad(match self {
            Self::InUse => "there is another classifier",
            Self::NotANumber => "a value is NaN",
            Self::Damaged => "the network's constants are damaged",
            Self::Arithmetic => "the self-test's windows give other results than the reference",
        })
    }
}

impl core::error::Error for Error {}
