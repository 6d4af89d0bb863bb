"""Lists leads, creates one, requests a missing one and uploads a file with the generated client."""

import os
import sys
from io import BytesIO
from uuid import uuid4

sys.path.insert(0, os.getcwd())

from convo_client import AuthenticatedClient
from convo_client.api.knowledge import upload_knowledge
from convo_client.api.leads import create_lead, get_lead, list_leads
from convo_client.models import LeadCreate, LeadFields, Problem
from convo_client.types import File

client = AuthenticatedClient(base_url=os.environ["CONVO_BASE_URL"], token=os.environ["CONVO_TOKEN"])
listed = list_leads.sync(client=client)
assert isinstance(listed, list) and listed, listed
created = create_lead.sync_detailed(client=client, body=LeadCreate(fields=LeadFields.from_dict({"name": "Python"})))
assert created.status_code == 201, created
missing = get_lead.sync(uuid4(), client=client)
assert isinstance(missing, Problem) and missing.status == 404, missing
uploaded = upload_knowledge.sync_detailed(client=client, body=File(BytesIO(b"# From Python\n")), x_original_name="python.md")
assert uploaded.status_code == 202, uploaded
print(f"Python, openapi-python-client: listed {len(listed)}, created {created.parsed.id}, 404 {missing.code}, uploaded {uploaded.parsed.file_name}")
