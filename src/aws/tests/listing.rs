//! Listings: how far they are read, and what each page asks.

use std::sync::Arc;

use super::{mumbai, wire};
use crate::{
    aws::{
        operation::PAGES_MAX,
        rds,
        read::Read,
        testing::{Asked, Reaction, ScriptedWire, answer, connect},
    },
    domain::resource::DbCluster,
};

/// The page after a token: the token as a number, 0 for the first.
fn number(asked: &Asked) -> usize {
    let token = asked.body.split('&').find_map(|pair| pair.strip_prefix("Marker="));
    token.map_or(0, |token| token.parse().expect("our own token"))
}

fn page(clusters: &[usize], next: Option<usize>) -> Reaction {
    let cluster = |n| format!("<DBCluster><DBClusterIdentifier>c{n}</DBClusterIdentifier></DBCluster>");
    let clusters = clusters.iter().map(cluster).collect::<Vec<_>>().concat();
    let marker = next.map(|next| format!("<Marker>{next}</Marker>")).unwrap_or_default();
    let result = format!("<DBClusters>{clusters}</DBClusters>{marker}");
    answer(
        200,
        "text/xml",
        format!(
            "<DescribeDBClustersResponse><DescribeDBClustersResult>{result}</DescribeDBClustersResult></DescribeDBClustersResponse>"
        ),
    )
}

/// The listing, and how many lines of the call log it made.
async fn listed(wire: &Arc<ScriptedWire>) -> (Read<Vec<DbCluster>>, usize) {
    let reader = connect(wire).await.reader();
    let op = rds::DescribeDbClusters { region: mumbai(), id: Some("pay".into()) };
    let read = reader.read(&op).await.expect("no page fails");
    (read, reader.log().since(0).len())
}

#[tokio::test]
async fn every_page_asks_the_same_and_an_empty_one_is_not_an_end() {
    let wire = wire(|asked| match number(asked) {
        0 => page(&[0], Some(1)),
        1 => page(&[], Some(2)),
        n => page(&[n], None),
    });
    let (all, logged) = listed(&wire).await;
    let ids: Vec<&str> = all.value.iter().map(|cluster| cluster.id.as_str()).collect();
    assert_eq!((ids.as_slice(), all.truncated), (["c0", "c2"].as_slice(), false));
    assert_eq!(all.request_id.as_deref(), Some("req-1"));
    let bodies: Vec<String> = wire.asked.lock().expect("test lock").iter().map(|asked| asked.body.clone()).collect();
    let same = "Action=DescribeDBClusters&Version=2014-10-31&DBClusterIdentifier=pay&MaxRecords=100";
    assert_eq!(bodies, [same.to_owned(), format!("{same}&Marker=1"), format!("{same}&Marker=2")]);
    assert_eq!(logged, 3, "one line for each page");
}

#[tokio::test]
async fn a_listing_without_end_is_cut_and_says_so() {
    let wire = wire(|asked| page(&[number(asked)], Some(number(asked) + 1)));
    let (cut, logged) = listed(&wire).await;
    assert_eq!((cut.value.len(), cut.truncated, logged), (PAGES_MAX, true, PAGES_MAX));
}

#[tokio::test]
async fn a_token_that_repeats_ends_the_listing_as_truncated() {
    let wire = wire(|_| page(&[1], Some(7)));
    let (answer, logged) = listed(&wire).await;
    assert_eq!((answer.value.len(), answer.truncated, logged), (2, true, 2));
}
