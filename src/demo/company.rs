//! Meridian Market: an online grocer with twenty-six services, nine teams and fifteen people.

/// One entry of the catalogue.
#[derive(Clone, Copy, Debug)]
pub struct Service {
    pub slug: &'static str,
    pub name: &'static str,
    pub team: &'static str,
    /// 1 is the most important.
    pub tier: u8,
    pub calls: &'static [&'static str],
    pub does: &'static str,
}

const fn service(
    slug: &'static str,
    name: &'static str,
    team: &'static str,
    tier: u8,
    calls: &'static [&'static str],
    does: &'static str,
) -> Service {
    Service { slug, name, team, tier, calls, does }
}

/// What others call comes before its callers, so that dependencies exist when they are declared.
pub const SERVICES: [Service; 26] = [
    service("cache", "Cache", "platform", 1, &[], "Shared in-memory cache for sessions, prices and stock"),
    service("order-queue", "Order queue", "platform", 1, &[], "Durable queue between ordering and the warehouses"),
    service("event-pipeline", "Event pipeline", "data", 3, &[], "Carries business events to the warehouse of data"),
    service("feature-store", "Feature store", "data", 3, &["event-pipeline"], "Precomputed features for models"),
    service("auth", "Auth", "identity", 1, &["cache"], "Tokens, sessions and single sign-on"),
    service("accounts", "Accounts", "identity", 1, &["auth"], "Customer profiles and addresses"),
    service("notifications", "Notifications", "engagement", 2, &["event-pipeline"], "E-mail, push and text messages"),
    service("loyalty", "Loyalty", "engagement", 3, &["accounts"], "Points and vouchers"),
    service("promotions", "Promotions", "discovery", 3, &["feature-store"], "Campaigns and discount rules"),
    service("catalogue", "Catalogue", "discovery", 1, &["cache"], "Products, categories and images"),
    service("search-index", "Search index", "discovery", 2, &["catalogue"], "Inverted index, rebuilt every hour"),
    service("search", "Search", "discovery", 2, &["search-index"], "Queries, facets and spelling"),
    service("recommendations", "Recommendations", "discovery", 3, &["feature-store", "catalogue"], "Bought together"),
    service("pricing", "Pricing", "discovery", 1, &["catalogue", "promotions"], "The price of a basket, now"),
    service("warehouse-sync", "Warehouse sync", "fulfilment", 2, &["event-pipeline"], "Stock levels from warehouses"),
    service("inventory", "Inventory", "fulfilment", 1, &["warehouse-sync", "cache"], "What can be sold, and reserved"),
    service("courier-gateway", "Courier gateway", "fulfilment", 2, &[], "Adapters for the couriers' APIs"),
    service("shipping-quotes", "Shipping quotes", "fulfilment", 2, &["courier-gateway"], "Slots and delivery fees"),
    service("dispatch", "Dispatch", "fulfilment", 2, &["order-queue", "courier-gateway"], "Turns orders into routes"),
    service("ledger", "Ledger", "payments", 1, &[], "Double-entry book of all money movements"),
    service("fraud-check", "Fraud check", "payments", 2, &["feature-store"], "Scores payments before capture"),
    service("payments", "Payments", "payments", 1, &["ledger", "fraud-check"], "Authorises and captures cards"),
    service("cart", "Cart", "checkout", 1, &["pricing", "inventory", "cache"], "Baskets of guests and customers"),
    service("orders", "Orders", "checkout", 1, &["order-queue", "inventory", "notifications"], "The order's life"),
    service(
        "checkout",
        "Checkout",
        "checkout",
        1,
        &["cart", "payments", "orders", "shipping-quotes"],
        "From basket to paid order",
    ),
    service(
        "storefront",
        "Storefront",
        "storefront",
        1,
        &["search", "catalogue", "recommendations", "cart", "checkout", "accounts", "loyalty"],
        "The web shop and the mobile API",
    ),
];

pub fn find(slug: &str) -> Option<&'static Service> {
    SERVICES.iter().find(|s| s.slug == slug)
}

/// Team slug and name.
pub const TEAMS: [(&str, &str); 9] = [
    ("storefront", "Storefront"),
    ("checkout", "Checkout"),
    ("payments", "Payments"),
    ("fulfilment", "Fulfilment"),
    ("discovery", "Discovery"),
    ("identity", "Identity"),
    ("engagement", "Engagement"),
    ("platform", "Platform"),
    ("data", "Data"),
];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Person {
    pub name: &'static str,
    pub email: &'static str,
    /// viewer, responder, commander or admin.
    pub role: &'static str,
}

const fn person(name: &'static str, email: &'static str, role: &'static str) -> Person {
    Person { name, email, role }
}

/// The first one is whom the demo prints a login for.
pub const PEOPLE: [Person; 15] = [
    person("Ada Winter", "ada@meridian.example", "admin"),
    person("Tomás Rivera", "tomas@meridian.example", "commander"),
    person("Ngozi Okafor", "ngozi@meridian.example", "commander"),
    person("Mei Tanaka", "mei@meridian.example", "commander"),
    person("Lars Holm", "lars@meridian.example", "commander"),
    person("Priya Nair", "priya@meridian.example", "responder"),
    person("Jonas Weber", "jonas@meridian.example", "responder"),
    person("Amélie Laurent", "amelie@meridian.example", "responder"),
    person("Samir Haddad", "samir@meridian.example", "responder"),
    person("Olu Adeyemi", "olu@meridian.example", "responder"),
    person("Katarzyna Nowak", "kasia@meridian.example", "responder"),
    person("Ben Castellano", "ben@meridian.example", "responder"),
    person("Hana Kim", "hana@meridian.example", "responder"),
    person("Ruth Abrams", "ruth@meridian.example", "viewer"),
    person("Dmitri Volkov", "dmitri@meridian.example", "viewer"),
];

/// Indexes into [`PEOPLE`].
pub const COMMANDERS: [usize; 4] = [1, 2, 3, 4];
pub const RESPONDERS: [usize; 8] = [5, 6, 7, 8, 9, 10, 11, 12];

/// The shortest chain of calls from the storefront to a service, both included; only the service
/// itself when the storefront does not reach it.
pub fn path_to(slug: &'static str) -> Vec<&'static str> {
    let mut paths: Vec<Vec<&'static str>> = vec![vec!["storefront"]];
    let mut seen = vec!["storefront"];
    let mut next = 0;
    while let Some(path) = paths.get(next).cloned() {
        let Some(last) = path.last() else { break };
        if *last == slug {
            return path;
        }
        for called in find(last).map_or(&[][..], |s| s.calls) {
            if !seen.contains(called) {
                seen.push(called);
                let mut longer = path.clone();
                longer.push(called);
                paths.push(longer);
            }
        }
        next += 1;
    }
    vec![slug]
}
