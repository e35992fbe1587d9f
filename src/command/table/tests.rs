use super::*;
use crate::command::flags::bits;
use crate::command::{ChannelGrammar, Gate, KeyGrammar, LaneNeed, Sight};

/// The names of the rows that `pick` picks, in alphabetical order.
fn names(pick: impl Fn(&CommandSpec) -> bool) -> String {
    let mut names: Vec<_> = rows()
        .iter()
        .filter(|spec| !spec.is_container() || spec.name == "command")
        .filter(|spec| pick(spec))
        .map(|spec| spec.name)
        .collect();
    names.sort_unstable();
    names.join(" ")
}

fn keyless(spec: &CommandSpec) -> bool {
    spec.keys == KeyGrammar::None && spec.channels == ChannelGrammar::None
}

#[test]
fn rows_are_numbered_and_families_stand_together() {
    for (number, spec) in rows().iter().enumerate() {
        assert_eq!(usize::from(spec.id.0), number);
        for sub in spec.subcommand_rows() {
            assert_eq!(sub.parent, Some(spec.id));
            assert_eq!(sub.name, format!("{}|{}", spec.name, sub.short_name()));
        }
        assert_eq!(spec.parent.is_some(), spec.name.contains('|'));
        assert_eq!(spec.name, spec.name.to_lowercase());
    }
    assert!(rows().len() > 400);
}

#[test]
fn no_name_stands_twice() {
    let mut names: Vec<_> = rows().iter().map(|spec| spec.name).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), rows().len());
}

#[test]
fn a_row_is_granted_by_no_category_that_does_not_take_it_away() {
    for spec in rows() {
        assert!(spec.withdrawn_by.contains(spec.granted_by), "{}", spec.name);
    }
}

// The lists below are the result of a review by hand, row by row. Whoever changes a mark changes a list, and says why.

#[test]
fn rows_without_keys_and_channels_see_everything_unless_reviewed() {
    assert_eq!(
        names(|s| keyless(s) && s.sight == Sight::Own),
        "acl|cat acl|genpass acl|help acl|whoami asking auth client|caching client|getname client|getredir client|help \
         client|id client|info client|no-evict client|no-touch client|reply client|setinfo client|setname \
         client|trackinginfo cluster|help cluster|keyslot command commandlog|help command|count command|docs \
         command|getkeys command|getkeysandflags command|help command|info command|list config|get config|help discard \
         echo exec function|help hello info latency|help lolwut memory|help module|help multi object|help ping \
         pubsub|help quit readonly readwrite reset script|exists script|help script|load select slowlog|help time \
         unwatch wait waitaof xgroup|help xinfo|help"
    );
    assert_eq!(
        names(|s| s.sight == Sight::WritesAll),
        "flushall flushdb function|delete function|flush function|kill function|load function|restore script|flush \
         script|kill swapdb"
    );
    assert_eq!(
        names(|s| s.sight == Sight::Channels),
        "pubsub|channels pubsub|numpat pubsub|numsub pubsub|shardchannels pubsub|shardnumsub"
    );
    assert_eq!(
        names(|s| s.sight == Sight::ReadsAll && s.gate == Gate::Open),
        "client|tracking clusterscan cluster|countkeysinslot cluster|getkeysinslot cluster|info cluster|links \
         cluster|myid cluster|myshardid cluster|nodes cluster|shards cluster|slot-stats cluster|slots dbsize keys \
         memory|doctor memory|malloc-stats memory|stats randomkey role scan"
    );
}

#[test]
fn rows_with_keys_or_channels_see_no_others() {
    assert_eq!(names(|s| !keyless(s) && s.sight != Sight::Own), "");
}

#[test]
fn what_is_for_operators_full_users_or_nobody_is_listed() {
    assert_eq!(
        names(|s| s.gate == Gate::Never),
        "client|capa client|import-source cluster|flushslot cluster|migrateslots cluster|syncslots monitor psync \
         replconf script|debug sync"
    );
    assert_eq!(
        names(|s| s.gate == Gate::FullUser),
        "eval eval_ro evalsha evalsha_ro fcall fcall_ro function|delete function|dump function|flush function|help \
         function|kill function|list function|load function|restore function|stats script|exists script|flush \
         script|help script|kill script|load script|show"
    );
    assert_eq!(
        names(|s| s.gate == Gate::Operator),
        "acl|deluser acl|dryrun acl|getuser acl|list acl|load acl|log acl|save acl|setuser acl|users bgrewriteaof \
         bgsave client|kill client|list client|pause client|unblock client|unpause cluster|addslots \
         cluster|addslotsrange cluster|bumpepoch cluster|cancelslotmigrations cluster|count-failure-reports \
         cluster|delslots cluster|delslotsrange cluster|failover cluster|flushslots cluster|forget \
         cluster|getslotmigrations cluster|meet cluster|replicas cluster|replicate cluster|reset cluster|saveconfig \
         cluster|set-config-epoch cluster|setslot cluster|slaves commandlog|get commandlog|len commandlog|reset \
         config|resetstat config|rewrite config|set debug failover lastsave latency|doctor latency|graph \
         latency|histogram latency|history latency|latest latency|reset memory|purge migrate module|list module|load module|loadex \
         module|unload pfdebug pfselftest replicaof restore restore-asking save shutdown slaveof slowlog|get \
         slowlog|len slowlog|reset"
    );
}

#[test]
fn whatever_servers_call_admin_is_gated_or_reviewed() {
    assert_eq!(
        names(|s| s.flags.has(bits::ADMIN) && s.gate == Gate::Open),
        "client|no-evict config|get"
    );
}

#[test]
fn what_may_not_share_a_connection_is_listed() {
    assert_eq!(
        names(|s| s.lane == LaneNeed::Own && s.gate == Gate::Open),
        "asking blmove blmpop blpop brpop brpoplpush bzmpop bzpopmax bzpopmin clusterscan cluster|countkeysinslot \
         cluster|getkeysinslot cluster|info cluster|keyslot cluster|links cluster|myid cluster|myshardid cluster|nodes \
         cluster|shards cluster|slot-stats cluster|slots discard exec flushall flushdb memory|doctor memory|malloc-stats \
         memory|stats multi psubscribe punsubscribe readonly readwrite ssubscribe subscribe sunsubscribe swapdb \
         unsubscribe unwatch wait waitaof watch xread xreadgroup"
    );
    assert_eq!(
        names(|s| s.lane == LaneNeed::OwnForever),
        "eval eval_ro evalsha evalsha_ro fcall fcall_ro function|delete function|dump function|flush function|help \
         function|kill function|list function|load function|restore function|stats script|exists script|flush \
         script|help script|kill script|load script|show vadd vcard vdim vemb vgetattr vinfo vismember vlinks \
         vrandmember vrem vsetattr vsim"
    );
    assert_eq!(
        names(|s| s.lane == LaneNeed::Redwall),
        "acl|cat acl|deluser acl|dryrun acl|genpass acl|getuser acl|help acl|list acl|load acl|log acl|save acl|setuser \
         acl|users acl|whoami auth client|caching client|capa client|getname client|getredir client|help client|id \
         client|import-source client|info client|kill client|list client|no-evict client|no-touch client|pause \
         client|reply client|setinfo client|setname client|tracking client|trackinginfo client|unblock client|unpause \
         command command|count command|docs command|getkeys command|getkeysandflags command|help command|info \
         command|list echo hello ping quit reset select"
    );
    assert_eq!(
        names(|s| s.lane == LaneNeed::Shared && s.gate != Gate::Open),
        ""
    );
    assert_eq!(
        names(|s| s.lane == LaneNeed::Shared && keyless(s)),
        "cluster|help commandlog|help config|get config|help dbsize info keys latency|help lolwut memory|help \
         module|help object|help pubsub|channels pubsub|help pubsub|numpat pubsub|numsub pubsub|shardchannels \
         pubsub|shardnumsub randomkey role scan slowlog|help time xgroup|help xinfo|help"
    );
}

#[test]
fn what_blocks_never_shares_a_connection() {
    assert_eq!(
        names(|s| s.flags.has(bits::BLOCKING) && s.lane == LaneNeed::Shared),
        ""
    );
}

#[test]
fn rows_that_write_although_they_only_ask_to_read_are_listed() {
    use crate::command::{Access, grammar::Slot};
    let reads = |s: &CommandSpec| match s.keys {
        KeyGrammar::One(Slot { access, .. }) => {
            access == Access::Read || access == Access::Metadata
        }
        KeyGrammar::XReadGroup => true,
        KeyGrammar::Run(run) => run.access == Access::Read || run.access == Access::Metadata,
        _ => false,
    };
    assert_eq!(
        names(|s| s.flags.has(bits::WRITE) && reads(s)),
        "xreadgroup"
    );
}
