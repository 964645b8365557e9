//! The components of one app: state on both sides, exposure, age.

use super::{List, Row, Target, board::AGE_BUDGET};
use crate::{
    domain::{
        Estate, Picture, RegionId, Side,
        app::{App, Component},
        compliance::{Assessment, ComponentStanding},
    },
    theme::Role,
    tui::{
        widgets::table::{CellText, Column},
        words,
    },
};

pub const COLUMNS: [Column; 9] = [
    Column::left("", 1, 1, 0),
    Column::left("COMPONENT", 16, 24, 0),
    Column::left("KIND", 12, 18, 5),
    Column::left("ROLE", 4, 4, 6),
    Column::left("PRIMARY", 16, 34, 3),
    Column::left("RECOVERY", 16, 34, 2),
    Column::left("LOSE / TARGET", 16, 22, 0),
    Column::right("SEEN", 7, 9, 1),
    Column::left("STATE", 18, 120, 0),
];

#[must_use]
pub fn rows(estate: &Estate, picture: &Picture, app: &App, assessment: Option<&Assessment>) -> List {
    let rows = app
        .components
        .iter()
        .map(|component| {
            let standing = assessment.and_then(|a| a.components.iter().find(|c| c.component == component.id));
            row(estate, picture, app, component, standing)
        })
        .collect();
    List::new(rows)
}

fn row(
    estate: &Estate,
    picture: &Picture,
    app: &App,
    component: &Component,
    standing: Option<&ComponentStanding>,
) -> Row {
    let side = |side: Side| side_cell(estate, picture, app, component, side);
    let (glyph, role, state, seen) = standing.map_or(("?", Role::VerdictUnknown, "not judged".to_owned(), None), |s| {
        let said = words::verdict(&s.verdict, &estate.zone);
        let state =
            if s.state.is_empty() || said.contains(s.state.as_str()) { said } else { format!("{said} · {}", s.state) };
        (words::glyph(&s.verdict), words::verdict_role(&s.verdict), state, s.observed_at)
    });
    let lose =
        standing.and_then(|s| s.region_lost.as_ref()).map_or_else(|| "-".to_owned(), words::exposure_against_target);
    let figure = standing.and_then(|s| s.region_lost.as_ref()).and_then(|e| e.exposure);
    let name = if component.mandatory { component.id.to_string() } else { format!("{} (optional)", component.id) };
    let cells = vec![
        CellText::new(glyph, role),
        CellText::text(name),
        CellText::dim(component.kind_title),
        CellText::dim(component.role.word()),
        side(Side::Primary),
        side(Side::Recovery),
        CellText::text(lose).sorted_by_duration(figure),
        CellText::ago(seen, AGE_BUDGET),
        CellText::new(state, role),
    ];
    Row::new(Target::Component(app.id.clone(), component.id.clone()), cells, component.kind)
}

/// What is known of the component on one side; facts read elsewhere (Route 53) stand on the primary side.
fn side_cell(estate: &Estate, picture: &Picture, app: &App, component: &Component, side: Side) -> CellText {
    let here = &estate.regions.get(side).id;
    let elsewhere = |region: &RegionId| side == Side::Primary && estate.regions.side_of(region).is_none();
    let mut said: Vec<String> = Vec::new();
    let mut role = Role::Text;
    let from = crate::domain::FactId {
        app: app.id.clone(),
        component: component.id.clone(),
        region: RegionId::new(""),
        what: crate::domain::What::Topology,
    };
    let of_component =
        picture.snapshot.facts.range(from..).take_while(|(id, _)| id.app == app.id && id.component == component.id);
    for (id, slot) in of_component {
        if id.region != *here && !elsewhere(&id.region) {
            continue;
        }
        let (words, how) = words::fact(slot, estate, picture.judged_at);
        if !said.contains(&words) {
            said.push(words);
        }
        if how != Role::Text {
            role = how;
        }
    }
    if said.is_empty() {
        CellText::dim(if component.observed { "-" } else { "not observed" })
    } else {
        CellText::new(said.join(" · "), role)
    }
}
