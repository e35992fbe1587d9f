//! Which channels a request names.

use super::grammar::ChannelGrammar;
use super::spec::{Call, ChannelUse};

/// Reports every channel of `call` to `sink`, in order. Leaving all channels (UNSUBSCRIBE alone) names none.
pub fn extract(call: &Call<'_>, sink: &mut impl FnMut(ChannelUse)) {
    match call.spec.channels {
        ChannelGrammar::None => {}
        ChannelGrammar::First(act) => sink(ChannelUse { index: 1, act }),
        ChannelGrammar::Every(act) => {
            for index in 1..call.request.announced() {
                sink(ChannelUse { index, act });
            }
        }
    }
}
