/// What a window can be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[allow(clippy::enum_variant_names)]
pub enum Label {
    /// circle
    Circle,
    /// shake
    Shake,
    /// rest
    Rest,
}

/// The labels' names, in the order of [`Label`].
#[rustfmt::skip]
pub const LABELS: [&str; 3] = [
    "circle",
    "shake",
    "rest",
];

impl Label {
    /// All of them; `ALL[i] as usize == i`.
    #[rustfmt::skip]
    pub const ALL: [Self; LABELS.len()] = [
        Self::Circle,
        Self::Shake,
        Self::Rest,
    ];

    /// The name as it is in the training data.
    pub const fn name(self) -> &'static str {
        LABELS[self as usize]
    }

    /// The label of a number; `None` where there is none.
    pub fn from_index(index: usize) -> Option<Self> {
        Self::ALL.get(index).copied()
    }
}

impl core::fmt::Display for Label {
    fn fmt(&self, formatter: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        formatter.pad(self.name())
    }
}
