//! The head of `estate.toml`: who the bank is, which Regions, where data may live, how each side is reached.

use std::collections::{BTreeMap, BTreeSet};

use super::values::{self, Ground, Holds, SIDES};
use crate::domain::{
    Region, RegionId, RegionPair, SafeText, Side, Zone,
    app::{Access, Residency},
    document::Table,
};

/// What was readable of the head; an absent part was reported.
#[derive(Default)]
pub(super) struct Head {
    pub name: Option<SafeText>,
    pub zone: Option<Zone>,
    pub expects_account: Option<String>,
    pub regions: Option<RegionPair>,
    pub residency: Option<Residency>,
    pub access: BTreeMap<Side, Access>,
}

impl Head {
    pub(super) fn ground(&self) -> Ground {
        let pair = self.regions.iter().flat_map(|pair| Side::BOTH.map(|side| (pair.get(side).id.clone(), side)));
        let accounts: BTreeSet<String> = self
            .expects_account
            .iter()
            .cloned()
            .chain(self.access.values().filter_map(|access| access.account.clone()))
            .collect();
        Ground {
            residency: self.residency.clone(),
            pair: pair.collect(),
            // Without the estate's own account every ARN would look foreign: the missing account is reported once.
            accounts: if self.expects_account.is_some() { accounts.into_iter().collect() } else { Vec::new() },
        }
    }
}

pub(super) fn read(root: &Table<'_, '_>) -> Head {
    let mut head = Head::default();
    if let Some(mut estate) = root.need_table("estate") {
        estate.call_it("[estate]");
        head.name = values::said(&estate, "name", estate.need_text("name")).map(|(name, _)| SafeText::new(name));
        head.zone = zone(&estate);
        head.expects_account = values::account(&estate, "expects_account", estate.need_text("expects_account"));
        estate.done();
    }
    head.residency = residency(root);
    head.regions = regions(root, head.residency.as_ref());
    head.access = access(root);
    head
}

fn zone(estate: &Table<'_, '_>) -> Option<Zone> {
    let (text, span) = estate.need_text("time_zone")?;
    let zone = Zone::named(&text);
    if zone.is_none() {
        let help = Some("a name of the IANA database, like \"Asia/Kolkata\"".into());
        estate.report().error("bad-time-zone", span, format!("`time_zone = {text:?}` is not known"), help);
    }
    zone
}

fn residency(root: &Table<'_, '_>) -> Option<Residency> {
    let mut table = root.need_table("residency")?;
    table.call_it("[residency]");
    let list = |key: &str| -> Vec<RegionId> {
        table.texts(key).into_iter().filter_map(|(text, span)| values::region_id(&table, key, &text, span)).collect()
    };
    let (data, control_planes) = (list("data"), list("control_planes"));
    if let Some(value) = table.need("data")
        && value.raw().as_array().is_some_and(|list| list.is_empty())
    {
        let message = "`data` is empty: data may live nowhere".to_owned();
        table.report().error("empty-list", value.span(), message, None);
    }
    table.done();
    (!data.is_empty()).then_some(Residency { data, control_planes })
}

fn regions(root: &Table<'_, '_>, residency: Option<&Residency>) -> Option<RegionPair> {
    let mut table = root.need_table("regions")?;
    table.call_it("[regions]");
    let ground = Ground { residency: residency.cloned(), ..Ground::default() };
    let read = |key: &str| {
        let mut region = table.need_table(key)?;
        region.call_it(format!("regions.{key}"));
        let id = region.need_text("id").and_then(|(text, span)| {
            let id = values::region_id(&region, "id", &text, span.clone())?;
            ground.hold(&region, &text, Holds::Data, span.clone());
            Some((id, span))
        });
        let name = values::said(&region, "name", region.need_text("name"));
        region.done();
        let (id, span) = id?;
        Some((Region { id, name: SafeText::new(name?.0) }, span))
    };
    let (primary, recovery) = (read("primary"), read("recovery"));
    let report = table.report().clone();
    table.done();
    let ((primary, _), (recovery, span)) = (primary?, recovery?);
    if primary.id == recovery.id {
        let message = format!("both sides are `{}`: a Region cannot recover itself", primary.id);
        report.error("same-region", span, message, None);
    }
    Some(RegionPair { primary, recovery })
}

fn access(root: &Table<'_, '_>) -> BTreeMap<Side, Access> {
    let mut found = BTreeMap::new();
    let Some(mut table) = root.table("access") else { return found };
    table.call_it("[access]");
    for (key, side) in SIDES {
        let Some(mut inner) = table.table(key) else { continue };
        inner.call_it(format!("[access.{key}]"));
        let profile = values::said(&inner, "profile", inner.text("profile")).map(|(text, _)| text);
        let account = values::account(&inner, "account", inner.text("account"));
        let role = role(&inner);
        inner.done();
        found.insert(side, Access { profile, role, account });
    }
    table.done();
    found
}

/// `arn:aws:iam::<account>:role/<path>`.
fn role(table: &Table<'_, '_>) -> Option<String> {
    let (text, span) = table.text("role")?;
    let parts: Vec<&str> = text.splitn(6, ':').collect();
    let shaped = matches!(parts.as_slice(), ["arn", partition, "iam", "", account, resource]
        if partition.starts_with("aws")
            && account.len() == 12 && account.bytes().all(|b| b.is_ascii_digit())
            && resource.strip_prefix("role/").is_some_and(|name| !name.is_empty()));
    if !shaped {
        let help = Some("arn:aws:iam::<account of 12 digits>:role/<name>".into());
        table.report().error("bad-arn", span, format!("`role = {text:?}` is not the ARN of a role"), help);
        return None;
    }
    Some(text)
}
