//! What a request may be refused with, for the OpenAPI document.

use std::collections::BTreeMap;

use ensafer_core::api::server::Problem;
use utoipa::openapi::{Content, Ref, RefOr, Response, ResponseBuilder};
use utoipa::{IntoResponses, ToSchema};

/// Media type of a [`Problem`] (RFC 9457).
pub const PROBLEM_TYPE: &str = "application/problem+json";

/// Declares groups of answers that are problems.
macro_rules! answers {
    ($($(#[$doc:meta])* $name:ident { $($status:literal: $text:literal,)* })*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy)]
        pub struct $name;

        impl IntoResponses for $name {
            fn responses() -> BTreeMap<String, RefOr<Response>> {
                BTreeMap::from([$(($status.to_owned(), problem($text)),)*])
            }
        }
    )*};
}

answers! {
    /// Any request.
    AnyAnswers {
        "408": "The request took too long",
        "413": "The body is too large",
        "429": "Too many requests or failures: Retry-After says when to come again",
        "500": "The server failed",
        "503": "The server cannot do it now",
    }
    /// A request with a body.
    BodyAnswers {
        "400": "The body is no JSON of the expected form",
        "415": "The body is not declared as JSON",
        "422": "A value in the body is refused",
    }
    /// A request with a parameter in its path or query.
    PathAnswers {
        "400": "A parameter is malformed",
    }
    /// A request that needs a session.
    SessionAnswers {
        "401": "There is no session, it is over, or the proof beside it is wrong",
        "403": "The account is disabled",
    }
    /// A step of a login.
    LoginAnswers {
        "401": "Login, proof or challenge is wrong, expired or used: it does not say which of the first two",
        "403": "The account is disabled, or its address not confirmed",
    }
    /// A change that may come too late.
    ConflictAnswers {
        "409": "Somebody else was faster: current_version says what is there",
    }
    /// Something that may not be there.
    MissingAnswers {
        "404": "There is no such thing",
    }
}

fn problem(text: &str) -> RefOr<Response> {
    let schema = Ref::from_schema_name(Problem::name());
    let content = Content::new(Some(RefOr::Ref(schema)));
    ResponseBuilder::new().description(text).content(PROBLEM_TYPE, content).build().into()
}
