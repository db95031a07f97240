//! The audit log, for the auditor.

use axum::extract::State;
use axum::response::Response;
use hyper::StatusCode;
use model::access::Permission;
use store::AuditFilter;

use crate::account::page;
use crate::app::App;
use crate::context::Context;
use crate::html::AuditPage;
use crate::problem::Problem;

/// Records on a page.
const ROWS: u32 = 100;

/// `GET /admin/audit?actor=…&action=…&subject=…&from=…&until=…&before=N`: the newest first; with `verify` the whole chain is
/// gone through.
pub(crate) async fn show(State(app): State<App>, context: Context) -> Result<Response, Problem> {
    const KNOWN: [&str; 7] = [
        "actor", "action", "subject", "from", "until", "before", "verify",
    ];
    context.params.only(&KNOWN)?;
    app.require(&context, Permission::ReadAudit)?;
    let text = |name: &str| {
        let value = context.params.get(name).unwrap_or_default().trim();
        (!value.is_empty()).then(|| value.to_owned())
    };
    let filter = AuditFilter {
        actor: text("actor"),
        action: text("action"),
        subject: text("subject"),
        from: text("from"),
        until: text("until"),
        before: text("before").and_then(|n| n.parse().ok()),
        limit: ROWS,
    };
    let records = app.store.audited(&filter).await?;
    let verified = match text("verify") {
        Some(_) => Some(app.store.verify_audit(None).await?),
        None => None,
    };
    page(
        &AuditPage::new(&context, &filter, &records, verified.as_ref()),
        StatusCode::OK,
    )
}
