//! Writes every page, in each of its states, and the stylesheet into a folder, for designers and translators:
//!
//! ```sh
//! cargo run -p irgw-oauth --example pages -- target/pages
//! python3 -m http.server --bind 127.0.0.1 --directory target/pages 8000
//! ```

use std::path::Path;
use std::time::Duration;
use std::{env, fs, io};

use bytes::Bytes;
use http::Response;
use irgw_core::UnixTime;
use irgw_oauth::pages::text::EN;
use irgw_oauth::pages::*;

fn main() -> io::Result<()> {
    let Some(folder) = env::args_os().nth(1) else {
        return Err(io::Error::other("name the folder to write into"));
    };
    let folder = Path::new(&folder);
    for (name, response) in all() {
        fs::create_dir_all(folder)?;
        fs::write(folder.join(format!("{name}.html")), response.body())?;
    }
    let style = folder.join(STYLESHEET_PATH.trim_start_matches('/'));
    fs::create_dir_all(style.parent().unwrap_or(folder))?;
    fs::write(style, stylesheet().body())
}

fn all() -> Vec<(String, Response<Bytes>)> {
    let now = UnixTime::since_unix_epoch(Duration::from_secs(1_795_600_000));
    let until =
        UnixTime::since_unix_epoch(Duration::from_secs(1_795_600_000) + irgw_oauth::grants::CONSENT_LIFETIME);
    let redirect = RedirectTarget::of("https://app.example.nz/back");
    let first = Login {
        action: "/gateway3/oauth/login",
        transaction: "7yJ2mB8sK1",
        client: Some("Tūī Books Online"),
        user_id: "",
        fault: None,
        redirect: redirect.as_ref(),
    };
    let code = OneTimeCode {
        action: "/gateway3/oauth/code",
        transaction: "7yJ2mB8sK1",
        fault: None,
        redirect: redirect.as_ref(),
    };
    let asked = Consent {
        action: "/gateway3/oauth/consent",
        transaction: "7yJ2mB8sK1",
        client: "Tūī Books Online",
        provider: "Tūī Software Limited",
        user_id: "aroha.ngata",
        until,
        applications: "/gateway3/oauth/applications",
        redirect: redirect.as_ref(),
    };
    let applications = [
        Application {
            client_id: "tui-books",
            client: "Tūī Books Online",
            provider: Some("Tūī Software Limited"),
            since: now,
            until,
        },
        Application {
            client_id: "kea",
            client: "Kea Payroll for Small and Medium Businesses, Farms and Orchards (2026 edition)",
            provider: Some("Kea Payroll and Accounting Services (Aotearoa) Limited Partnership"),
            since: now,
            until,
        },
    ];
    let some = Connected {
        withdraw: "/gateway3/oauth/applications/withdraw",
        log_out: "/gateway3/oauth/logout",
        transaction: "7yJ2mB8sK1",
        user_id: "aroha.ngata",
        applications: &applications,
        withdrawn: None,
    };
    let mut written = vec![
        ("login".to_owned(), login(&EN, &first)),
        (
            "login-refused".to_owned(),
            login(&EN, &Login { user_id: "aroha.ngata", fault: Some(LoginFault::Refused), ..first }),
        ),
        (
            "login-busy".to_owned(),
            login(&EN, &Login { fault: Some(LoginFault::Busy), client: None, ..first }),
        ),
        ("code".to_owned(), one_time_code(&EN, &code)),
        (
            "code-refused".to_owned(),
            one_time_code(&EN, &OneTimeCode { fault: Some(OneTimeCodeFault::Refused), ..code }),
        ),
        ("consent".to_owned(), consent(&EN, &asked)),
        ("connected".to_owned(), connected(&EN, &some)),
        (
            "connected-withdrawn".to_owned(),
            connected(&EN, &Connected { withdrawn: Some("Weka Ledger"), ..some }),
        ),
        ("connected-none".to_owned(), connected(&EN, &Connected { applications: &[], ..some })),
    ];
    for kind in ProblemKind::ALL {
        let view = Problem { kind, request_id: "01JDG3Q8ZK4T0W5M" };
        written.push((format!("problem-{kind:?}").to_lowercase(), problem(&EN, &view)));
    }
    for what in Done::ALL {
        written.push((format!("done-{what:?}").to_lowercase(), done(&EN, what)));
    }
    written
}
