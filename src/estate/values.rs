//! Values that several files share: ids, sizes, shares, Regions, ARNs, and the parameters of a kind.
//!
//! Everything here reports what is wrong where it stands; nothing is defaulted. The residency rule is held here,
//! so that no reader of a file can forget it.

use std::{collections::BTreeMap, ops::Range};

use toml::de::DeValue;

use crate::domain::{
    RegionId, Side,
    app::{Param, Residency, Role},
    diagnostic::nearest,
    document::{Table, Value},
    kind::{ParamShape, ParamSpec},
};

/// The two words for a side.
pub(super) const SIDES: [(&str, Side); 2] = [("primary", Side::Primary), ("recovery", Side::Recovery)];

/// Closed words of text parameters, by the parameter's name: a slip in one of these would silently change what a
/// component says about the RPO.
const CLOSED_WORDS: [(&str, &[&str]); 3] = [
    ("measures", &["gauge", "lag-seconds", "lag-millis"]),
    ("routing", &["weighted", "failover"]),
    ("is", &["ok", "alarm"]),
];

/// What the head of the estate says that every other value is held against. Empty where the head has errors of
/// its own: then only the head is reported.
#[derive(Clone, Debug, Default)]
pub(super) struct Ground {
    pub residency: Option<Residency>,
    /// Region ids of the pair.
    pub pair: Vec<(RegionId, Side)>,
    /// Accounts that resources may live in; empty = not known.
    pub accounts: Vec<String>,
}

/// Whether a Region holds customers' data or metadata only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Holds {
    Data,
    Metadata,
}

impl Holds {
    /// A component that holds data may live in the data Regions only.
    pub(super) const fn of(role: Role) -> Self {
        match role {
            Role::Data => Self::Data,
            Role::Run | Role::Edge | Role::Link => Self::Metadata,
        }
    }
}

impl Ground {
    /// Reports a Region outside the residency rule.
    pub(super) fn hold(&self, table: &Table<'_, '_>, region: &str, holds: Holds, span: Range<usize>) {
        let Some(residency) = &self.residency else { return };
        let inside = |list: &[RegionId]| list.iter().any(|known| known.as_str() == region);
        if inside(&residency.data) || (holds == Holds::Metadata && inside(&residency.control_planes)) {
            return;
        }
        let data: Vec<&str> = residency.data.iter().map(RegionId::as_str).collect();
        let (message, known) = match holds {
            Holds::Data => (format!("data may live in {} only, not in `{region}`", data.join(", ")), data),
            Holds::Metadata => (
                format!("`{region}` is in no list of [residency]: not even metadata may live there"),
                data.into_iter().chain(residency.control_planes.iter().map(RegionId::as_str)).collect(),
            ),
        };
        let help = nearest(region, known)
            .map(|near| format!("did you mean \"{near}\"?"))
            .or_else(|| Some("change the Region, or the rule in [residency] when those who own it agreed".into()));
        table.report().error("outside-residency", span, message, help);
    }
}

/// An id: letters, digits, `-`, `_` and `.`, at most 64.
pub(super) fn need_id(table: &Table<'_, '_>, key: &str) -> Option<(String, Range<usize>)> {
    let (text, span) = table.need_text(key)?;
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if text.is_empty() || text.len() > 64 || !text.chars().all(fits) {
        table.report().error(
            "bad-id",
            span,
            format!("`{key} = {text:?}` is not an id"),
            Some("letters, digits, `-`, `_` and `.`, at most 64".into()),
        );
        return None;
    }
    Some((text, span))
}

/// Text that is not blank.
pub(super) fn said(
    table: &Table<'_, '_>,
    key: &str,
    read: Option<(String, Range<usize>)>,
) -> Option<(String, Range<usize>)> {
    let (text, span) = read?;
    if text.trim().is_empty() {
        table.report().error("empty-text", span, format!("`{key}` is empty"), None);
        return None;
    }
    Some((text, span))
}

/// `"10TB"`, `"0.4TB"`, `"512GiB"` in bytes.
pub(super) fn parse_size(text: &str) -> Option<u64> {
    let split = text.find(|c: char| !c.is_ascii_digit() && c != '.')?;
    let number: f64 = text[..split].parse().ok()?;
    let unit = match text[split..].trim_start() {
        "B" => 1.0,
        "KB" => 1e3,
        "MB" => 1e6,
        "GB" => 1e9,
        "TB" => 1e12,
        "PB" => 1e15,
        "KiB" => 1024.0,
        "MiB" => 1024.0 * 1024.0,
        "GiB" => 1024.0 * 1024.0 * 1024.0,
        "TiB" => 1024.0 * 1024.0 * 1024.0 * 1024.0,
        _ => return None,
    };
    let bytes = number * unit;
    (bytes.is_finite() && bytes < 1e18).then_some(bytes.round() as u64)
}

/// A share: `"50%"` is 0.5.
pub(super) fn share(table: &Table<'_, '_>, key: &str) -> Option<(f64, Range<usize>)> {
    let (text, span) = table.text(key)?;
    let parsed = text.strip_suffix('%').and_then(|number| number.trim().parse::<f64>().ok());
    match parsed {
        Some(percent) if (0.0..=100.0).contains(&percent) => Some((percent / 100.0, span)),
        _ => {
            table.report().error(
                "bad-percent",
                span,
                format!("`{key} = {text:?}` is not a share"),
                Some("from \"0%\" to \"100%\"".into()),
            );
            None
        }
    }
}

/// A Region id by its shape, e.g. `ap-south-2`.
pub(super) fn is_region_id(text: &str) -> bool {
    let parts: Vec<&str> = text.split('-').collect();
    let lower = |part: &&str| !part.is_empty() && part.chars().all(|c| c.is_ascii_lowercase());
    parts.len() >= 3
        && parts[0].len() == 2
        && parts[..parts.len() - 1].iter().all(lower)
        && matches!(parts[parts.len() - 1].as_bytes(), [digit] if digit.is_ascii_digit())
}

/// Reports text that is no Region id.
pub(super) fn region_id(table: &Table<'_, '_>, key: &str, text: &str, span: Range<usize>) -> Option<RegionId> {
    if is_region_id(text) {
        return Some(RegionId::new(text));
    }
    table.report().error(
        "bad-region",
        span,
        format!("`{key} = {text:?}` is not a Region"),
        Some("an id like \"ap-south-1\"".into()),
    );
    None
}

/// Twelve digits.
pub(super) fn account(table: &Table<'_, '_>, key: &str, read: Option<(String, Range<usize>)>) -> Option<String> {
    let (text, span) = read?;
    if text.len() == 12 && text.bytes().all(|b| b.is_ascii_digit()) {
        return Some(text);
    }
    table.report().error(
        "bad-account",
        span,
        format!("`{key} = {text:?}` is not an account id"),
        Some("twelve digits, in quotes: \"111122223333\"".into()),
    );
    None
}

/// Holds an ARN against the residency rule and the accounts of the estate.
pub(super) fn check_arn(
    table: &Table<'_, '_>,
    key: &str,
    text: &str,
    span: Range<usize>,
    ground: &Ground,
    holds: Holds,
) -> bool {
    let parts: Vec<&str> = text.splitn(6, ':').collect();
    let shaped = parts.len() == 6
        && parts[0] == "arn"
        && parts[1].starts_with("aws")
        && !parts[2].is_empty()
        && !parts[5].is_empty()
        && (parts[3].is_empty() || is_region_id(parts[3]))
        && (parts[4].is_empty() || (parts[4].len() == 12 && parts[4].bytes().all(|b| b.is_ascii_digit())));
    if !shaped {
        table.report().error(
            "bad-arn",
            span,
            format!("`{key} = {text:?}` is not an ARN"),
            Some("arn:aws:<service>:<region>:<account of 12 digits>:<resource>".into()),
        );
        return false;
    }
    if !parts[3].is_empty() {
        ground.hold(table, parts[3], holds, span.clone());
    }
    if !parts[4].is_empty() && !ground.accounts.is_empty() && !ground.accounts.iter().any(|known| known == parts[4]) {
        table.report().error(
            "foreign-account",
            span,
            format!("account {} is not one of this estate", parts[4]),
            Some(format!("known here: {}", ground.accounts.join(", "))),
        );
        return false;
    }
    true
}

/// One parameter of a kind of component or step; absent = `None`, its absence reported where it is required.
pub(super) fn param(table: &Table<'_, '_>, spec: &ParamSpec, ground: &Ground, holds: Holds) -> Option<Param> {
    let key = spec.name;
    let value = if spec.required { table.need(key) } else { table.get(key) }?;
    match spec.shape {
        ParamShape::Text => {
            let (text, span) = said(table, key, table.text(key))?;
            let words = CLOSED_WORDS.iter().find(|(name, _)| *name == key).map(|(_, words)| *words);
            if let Some(words) = words {
                let known: Vec<(&str, ())> = words.iter().map(|word| (*word, ())).collect();
                table.choose(key, &text, span, &known)?;
            }
            Some(Param::Text(text))
        }
        ParamShape::Arn => {
            let (text, span) = table.text(key)?;
            check_arn(table, key, &text, span, ground, holds).then_some(Param::Text(text))
        }
        ParamShape::Duration => table.duration(key).map(|(duration, _)| Param::Duration(duration)),
        ParamShape::Number => finite(table, key).map(|(number, _)| Param::Number(number)),
        ParamShape::Flag => table.flag(key).map(|(flag, _)| Param::Flag(flag)),
        ParamShape::Size => {
            let (text, span) = table.text(key)?;
            let size = parse_size(&text);
            if size.is_none() {
                let help = "a number with a unit, like \"10TB\" or \"512GiB\"".into();
                table.report().error("bad-size", span, format!("`{key} = {text:?}` is not a size"), Some(help));
            }
            size.map(Param::Size)
        }
        ParamShape::Region => {
            let (text, span) = table.text(key)?;
            let region = region_id(table, key, &text, span.clone())?;
            if let Some((_, side)) = ground.pair.iter().find(|(known, _)| *known == region) {
                let help = Some(format!("write `side = \"{}\"`", side.word()));
                table.report().error("region-of-the-pair", span, format!("`{text}` is a Region of the pair"), help);
                return None;
            }
            ground.hold(table, &text, Holds::Metadata, span);
            Some(Param::Text(text))
        }
        ParamShape::Sides => sides(table, key, value, ground, holds),
        ParamShape::Map => map(table, key, ground).map(Param::Map),
        ParamShape::Side => table.word(key, &SIDES).map(|(side, _)| Param::Side(side)),
    }
}

/// A number that is a number: TOML also knows `nan` and `inf`, with which every comparison goes wrong silently.
pub(super) fn finite(table: &Table<'_, '_>, key: &str) -> Option<(f64, Range<usize>)> {
    let (number, span) = table.number(key)?;
    if !number.is_finite() {
        table.report().error("bad-number", span, format!("`{key}` is not a finite number"), None);
        return None;
    }
    Some((number, span))
}

fn sides(table: &Table<'_, '_>, key: &str, value: Value<'_, '_>, ground: &Ground, holds: Holds) -> Option<Param> {
    let mut inner = table.as_table(key, value)?;
    inner.call_it(format!("`{key}`"));
    let read = |side: &str| {
        let (text, span) = said(&inner, side, inner.text(side))?;
        if text.starts_with("arn:") && !check_arn(&inner, side, &text, span, ground, holds) {
            return None;
        }
        Some(text)
    };
    let (primary, recovery) = (read("primary"), read("recovery"));
    let named = inner.get("primary").is_some() || inner.get("recovery").is_some();
    if !named {
        let help = Some("{ primary = \"…\", recovery = \"…\" }, one or both".into());
        table.report().error("missing-key", value.span(), format!("`{key}` names neither side"), help);
    }
    inner.done();
    named.then_some(Param::Sides { primary, recovery })
}

/// A table of text. A value under a key that ends with `Region` is held against the residency rule: it is where
/// data is sent (`ReceivingRegion` of DynamoDB).
pub(super) fn map(table: &Table<'_, '_>, key: &str, ground: &Ground) -> Option<BTreeMap<String, String>> {
    let inner = table.table(key)?;
    let mut found = BTreeMap::new();
    for (name, _, value) in inner.entries() {
        let Some((text, span)) = inner.as_text(&name, value) else { continue };
        if name.ends_with("Region") && is_region_id(&text) {
            ground.hold(&inner, &text, Holds::Data, span);
        }
        found.insert(name, text);
    }
    inner.done();
    Some(found)
}

/// The values of a list of text, each with its place; not a list = reported, `None`.
pub(super) fn list_of_text(table: &Table<'_, '_>, key: &str) -> Option<Vec<(String, Range<usize>)>> {
    let value = table.get(key)?;
    if !matches!(value.raw(), DeValue::Array(_)) {
        return table.wrong(key, value, "a list of text");
    }
    Some(table.texts(key))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_with_their_unit_and_nothing_else_is() {
        assert_eq!(parse_size("10TB"), Some(10_000_000_000_000));
        assert_eq!(parse_size("0.4 TB"), Some(400_000_000_000));
        assert_eq!(parse_size("1GiB"), Some(1_073_741_824));
        for nonsense in ["10", "TB", "10 tons", "1e9TB", "-1TB", "1.2.3TB", "99999999PB"] {
            assert_eq!(parse_size(nonsense), None, "{nonsense}");
        }
    }

    #[test]
    fn a_region_is_known_by_its_shape() {
        for good in ["ap-south-1", "us-gov-west-1", "eu-central-2"] {
            assert!(is_region_id(good), "{good}");
        }
        for bad in ["Mumbai", "ap-south", "ap-south-", "ap-south-12", "AP-SOUTH-1", "Global", ""] {
            assert!(!is_region_id(bad), "{bad}");
        }
    }
}
