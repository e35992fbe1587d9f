//! What the reply scanner is in the middle of.

use super::element::Type;
use crate::resp::decimal::Decimal;
use crate::resp::reply_fault::ReplyFault;

/// Whether a line has any byte yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Length {
    Empty,
    Some,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Stage {
    /// Before a type byte.
    Type,
    /// In the line of a length, a count or an integer.
    Number { of: Type, number: Decimal },
    /// In the line of a simple string, an error, a double or a big number.
    Line { of: Type, length: Length },
    /// Before the letter of a boolean.
    Boolean,
    /// In a string; `left` bytes are still to come, the two of its line break included.
    String { left: u64 },
    /// Before the CR of a line that has nothing more.
    Cr,
    /// Before the LF of a line.
    Lf,
    /// After a frame.
    Ended,
    /// After a fault: every further call answers it again.
    Failed(ReplyFault),
}

impl Stage {
    /// What comes after the type byte.
    #[inline]
    pub(super) fn after(of: Type) -> Self {
        match of {
            Type::Simple | Type::Error | Type::Double | Type::BigNumber => Self::Line {
                of,
                length: Length::Empty,
            },
            Type::Boolean => Self::Boolean,
            Type::Null => Self::Cr,
            Type::Integer
            | Type::Bulk
            | Type::BlobError
            | Type::Verbatim
            | Type::Array
            | Type::Set
            | Type::Map
            | Type::Push
            | Type::Attribute => Self::Number {
                of,
                number: Decimal::NEW,
            },
        }
    }
}

/// An aggregate that hasn't ended.
#[derive(Clone, Copy, Debug)]
pub(super) struct Level {
    /// Elements that haven't ended.
    pub(super) left: u64,
    pub(super) part: Part,
}

/// What an aggregate is to the one around it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// One of its elements.
    Element,
    /// An attribute or a push between its elements: not one of them.
    Aside,
}

/// What is kept of the element that is being read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Keep {
    Nothing,
    /// The first element of a frame: a name.
    Label,
    /// A top-level error: its first word.
    Word,
    /// The third element of a frame: a number of subscriptions.
    Third,
}

/// What was reached: the end of the frame, or not yet.
pub(super) enum Reach {
    Frame,
    Input,
}

/// What reading at one stage has come to.
pub(super) enum Read {
    /// The next stage.
    On,
    /// The end of the input.
    Wait,
    /// The end of an element.
    Element,
}
