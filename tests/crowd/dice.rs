//! Chance that comes again from the same seed, on whatever machine. Source: Steele, Lea, Flood, "Fast splittable pseudorandom number
//! generators" (SplitMix64).

/// A sequence of numbers.
pub struct Dice(u64);

impl Dice {
    /// The sequence of a seed and of whom it is for.
    pub fn of(parts: &[u64]) -> Self {
        let mut dice = Self(0);
        for part in parts {
            dice.0 ^= *part;
            dice.0 = dice.roll();
        }
        dice
    }

    fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number from 0 to `end`, without it.
    pub fn below(&mut self, end: usize) -> usize {
        (self.roll() % end as u64) as usize
    }

    /// A number from `first` to `last`.
    pub fn within(&mut self, first: usize, last: usize) -> usize {
        first + self.below(last - first + 1)
    }

    /// A number from 1 to `most`, of any order of magnitude as often as of any other.
    pub fn up_to(&mut self, most: usize) -> usize {
        let bits = self.within(1, most.ilog2() as usize + 1);
        self.within(1, (1 << bits) - 1).min(most)
    }

    pub fn one_in(&mut self, times: usize) -> bool {
        self.below(times) == 0
    }

    pub fn pick<T: Copy>(&mut self, some: &[T]) -> T {
        some[self.below(some.len())]
    }
}
