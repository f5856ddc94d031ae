"""What every dialect shares: request parameters, formats, errors, tokens and ids."""

from milepost.http.answers import (
    JSON_HEADERS,
    JSON_TYPE,
    Answer,
    Envelope,
    Exhibit,
    Field,
    Form,
    chosen_format,
    encode,
    render,
    render_error,
)
from milepost.http.arriving import Arrival, discard_arrived, told_when_full
from milepost.http.body import ClientGone
from milepost.http.call import Call
from milepost.http.errors import (
    ServiceError,
    bad_input,
    envelope,
    invalid_token,
    no_job_id,
    not_found,
    not_permitted,
    token_required,
)
from milepost.http.forgery import FORM_FIELD, from_elsewhere
from milepost.http.gate import COOKIE_NAME, Gate, client_ip
from milepost.http.guard import Guard, logged_path, own_fault
from milepost.http.ids import plain, read_job_id
from milepost.http.parameters import Parameters, json_of, missing, object_of, required, wrong
from milepost.http.protocol import LimitedProtocol
from milepost.http.reader import LONGEST_NAME, LONGEST_TEXT, Reader
from milepost.http.request import PublicAddress, parse_query, read_parameters, save_upload
from milepost.http.resource import MAX_BODY, METHODS, Endpoint, Resource, Resources
from milepost.http.shortcut import Shortcut, from_another_site

__all__ = [
    "COOKIE_NAME",
    "FORM_FIELD",
    "JSON_HEADERS",
    "JSON_TYPE",
    "LONGEST_NAME",
    "LONGEST_TEXT",
    "MAX_BODY",
    "METHODS",
    "Answer",
    "Arrival",
    "Call",
    "ClientGone",
    "Endpoint",
    "Envelope",
    "Exhibit",
    "Field",
    "Form",
    "Gate",
    "Guard",
    "LimitedProtocol",
    "Parameters",
    "PublicAddress",
    "Reader",
    "Resource",
    "Resources",
    "ServiceError",
    "Shortcut",
    "bad_input",
    "chosen_format",
    "client_ip",
    "discard_arrived",
    "encode",
    "envelope",
    "from_another_site",
    "from_elsewhere",
    "invalid_token",
    "json_of",
    "logged_path",
    "missing",
    "no_job_id",
    "not_found",
    "not_permitted",
    "object_of",
    "own_fault",
    "parse_query",
    "plain",
    "read_job_id",
    "read_parameters",
    "render",
    "render_error",
    "required",
    "save_upload",
    "token_required",
    "told_when_full",
    "wrong",
]
