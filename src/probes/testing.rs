//! A small estate in code, for tests of what reads one.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use crate::{
    aws::testing::{HYDERABAD, MUMBAI},
    domain::{
        AppId, ComponentId, Estate, Region, RegionId, RegionPair, SafeText, Zone,
        app::{App, Component, Param, Params, PolicyWarning, Residency, Role, Strategy, Timings},
    },
};

pub(crate) fn component(id: &str, kind: &'static str, params: &[(&str, Param)]) -> Component {
    Component {
        id: ComponentId::new(id),
        kind,
        kind_title: kind,
        observed: true,
        mandatory: true,
        role: Role::Data,
        rpo: None,
        params: Params(params.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect()),
        region_lost: None,
        corrupted: Vec::new(),
    }
}

pub(crate) fn app(id: &str, components: Vec<Component>) -> App {
    App {
        id: AppId::new(id),
        name: SafeText::new(id),
        tier: 1,
        criticality: SafeText::new("high"),
        strategy: Strategy::ActivePassive,
        rpo: Some(Duration::from_secs(1)),
        rto: None,
        depends_on: Vec::new(),
        backup: None,
        components,
        runbooks: BTreeMap::new(),
        drills: Vec::new(),
        served: None,
        accepted: None,
        timings: Timings {
            detection: Duration::ZERO,
            decision: Duration::ZERO,
            dns_ttl: Duration::ZERO,
            verification: Duration::ZERO,
            execution: None,
        },
        note: None,
        parameters: BTreeMap::new(),
        not_again_within: None,
    }
}

pub(crate) fn estate(apps: Vec<App>) -> Arc<Estate> {
    let region = |id: &str| Region { id: RegionId::new(id), name: SafeText::new(id) };
    Arc::new(Estate {
        name: SafeText::new("test"),
        origin: SafeText::new("code"),
        zone: Zone::utc(),
        expects_account: "111122223333".into(),
        regions: RegionPair { primary: region(MUMBAI), recovery: region(HYDERABAD) },
        residency: Residency::default(),
        access: BTreeMap::new(),
        freezes: Vec::new(),
        apps,
        warnings: Vec::<PolicyWarning>::new(),
    })
}

pub(crate) fn text(value: &str) -> Param {
    Param::Text(value.to_owned())
}
