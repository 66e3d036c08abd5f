"""all: SQLite never gives the number of a row that was removed to another

Revision: 0084, after 0083
"""

from alembic import op

from vigil_cloud.database.migrations.numbering import never_again

revision = '0084'
down_revision = '0083'
branch_labels = None
depends_on = None

TABLES = (
    'accounts', 'aed_callouts', 'aed_patrol_photos', 'aed_patrols', 'alert_history', 'alert_outbox',
    'case_access', 'case_deadlines', 'case_events', 'case_votes', 'channels', 'consents',
    'dead_letters', 'deliveries', 'device_shelves', 'disclosures', 'ends_told', 'enrolment_codes',
    'escalation_answers', 'fire_steps', 'guardians', 'household_devices', 'household_members',
    'late_visits', 'noise_certificates', 'noise_level_hours', 'noise_placements',
    'noise_register_versions', 'noise_roads', 'noise_rules', 'phone_reports', 'phone_sightings',
    'programme_photos', 'programme_signatures', 'programme_steps', 'purpose_consents', 'push_keys',
    'reply_links', 'search_entries', 'search_hits', 'work',
)  # fmt: skip


def upgrade() -> None:
    never_again(op.get_bind(), TABLES)


def downgrade() -> None:
    """Nothing: whoever reads the tables sees no difference."""
