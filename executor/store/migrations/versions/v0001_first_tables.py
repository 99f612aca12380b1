"""The first tables."""

from alembic import op

revision = "0001"
down_revision = None

_STATEMENTS = (
    """
    CREATE TABLE approvals (
        tenant TEXT NOT NULL,
        id TEXT NOT NULL,
        run TEXT NOT NULL,
        kind TEXT NOT NULL,
        step TEXT NOT NULL,
        steps TEXT NOT NULL,
        iteration TEXT NOT NULL,
        plan_digest TEXT NOT NULL,
        action TEXT NOT NULL,
        action_digest TEXT NOT NULL,
        arguments TEXT NOT NULL,
        args_hash TEXT NOT NULL,
        policy_version TEXT,
        policies TEXT NOT NULL,
        reasons TEXT NOT NULL,
        role TEXT NOT NULL,
        quorum INTEGER NOT NULL,
        requester TEXT NOT NULL,
        nonce TEXT NOT NULL,
        state TEXT NOT NULL,
        created_at DOUBLE PRECISION NOT NULL,
        expires_at DOUBLE PRECISION NOT NULL,
        PRIMARY KEY (tenant, id)
    )
    """,
    """CREATE INDEX approvals_oldest ON approvals (tenant, created_at, id)""",
    """CREATE INDEX approvals_open ON approvals (tenant, state, created_at, id)""",
    """CREATE INDEX approvals_run ON approvals (tenant, run)""",
    """
    CREATE TABLE attempts (
        tenant TEXT NOT NULL,
        run TEXT NOT NULL,
        step TEXT NOT NULL,
        iteration TEXT NOT NULL,
        n INTEGER NOT NULL,
        epoch INTEGER NOT NULL,
        action TEXT NOT NULL,
        effect TEXT NOT NULL,
        "key" TEXT NOT NULL,
        args_hash TEXT NOT NULL,
        tool_digest TEXT NOT NULL,
        policy_version TEXT,
        approvals TEXT NOT NULL,
        state TEXT NOT NULL,
        send_before DOUBLE PRECISION NOT NULL,
        started_at DOUBLE PRECISION NOT NULL,
        ended_at DOUBLE PRECISION,
        PRIMARY KEY (tenant, run, step, iteration, n)
    )
    """,
    """CREATE INDEX attempts_key ON attempts (tenant, "key")""",
    """
    CREATE TABLE audits (
        tenant TEXT NOT NULL,
        id TEXT NOT NULL,
        at DOUBLE PRECISION NOT NULL,
        principal TEXT NOT NULL,
        act TEXT NOT NULL,
        subject TEXT NOT NULL,
        detail TEXT NOT NULL,
        PRIMARY KEY (tenant, id)
    )
    """,
    """CREATE INDEX audits_subject ON audits (tenant, subject)""",
    """
    CREATE TABLE consents (
        tenant TEXT NOT NULL,
        ticket_hash TEXT NOT NULL,
        credential TEXT NOT NULL,
        principal TEXT NOT NULL,
        state_hash TEXT,
        browser_hash TEXT,
        sealed TEXT NOT NULL,
        redirect_uri TEXT NOT NULL,
        expires_at DOUBLE PRECISION NOT NULL,
        PRIMARY KEY (tenant, ticket_hash),
        UNIQUE (state_hash)
    )
    """,
    """
    CREATE TABLE credentials (
        tenant TEXT NOT NULL,
        id TEXT NOT NULL,
        kind TEXT NOT NULL,
        settings TEXT NOT NULL,
        sealed TEXT NOT NULL,
        standing TEXT NOT NULL,
        reason TEXT,
        expires_at DOUBLE PRECISION,
        generation INTEGER NOT NULL,
        leased_until DOUBLE PRECISION NOT NULL,
        created_at DOUBLE PRECISION NOT NULL,
        updated_at DOUBLE PRECISION NOT NULL,
        PRIMARY KEY (tenant, id)
    )
    """,
    """
    CREATE TABLE decisions (
        tenant TEXT NOT NULL,
        approval TEXT NOT NULL,
        principal TEXT NOT NULL,
        decision TEXT NOT NULL,
        narrowing TEXT,
        reason TEXT NOT NULL,
        at DOUBLE PRECISION NOT NULL,
        PRIMARY KEY (tenant, approval, principal)
    )
    """,
    """
    CREATE TABLE blobs (
        tenant TEXT NOT NULL,
        digest TEXT NOT NULL,
        bytes INTEGER NOT NULL,
        content TEXT NOT NULL,
        PRIMARY KEY (tenant, digest)
    )
    """,
    """
    CREATE TABLE blob_uses (
        tenant TEXT NOT NULL,
        digest TEXT NOT NULL,
        subject TEXT NOT NULL,
        PRIMARY KEY (tenant, digest, subject)
    )
    """,
    """CREATE INDEX blob_uses_subject ON blob_uses (tenant, subject)""",
    """
    CREATE TABLE deletions (
        tenant TEXT NOT NULL,
        subject TEXT NOT NULL,
        "plan" TEXT,
        PRIMARY KEY (tenant, subject)
    )
    """,
    """
    CREATE TABLE events (
        tenant TEXT NOT NULL,
        subject TEXT NOT NULL,
        seq INTEGER NOT NULL,
        at DOUBLE PRECISION NOT NULL,
        type TEXT NOT NULL,
        v INTEGER NOT NULL,
        data TEXT NOT NULL,
        large TEXT,
        PRIMARY KEY (tenant, subject, seq)
    )
    """,
    """
    CREATE TABLE facts (
        name TEXT NOT NULL,
        value TEXT NOT NULL,
        PRIMARY KEY (name)
    )
    """,
    """
    CREATE TABLE idempotency (
        tenant TEXT NOT NULL,
        principal TEXT NOT NULL,
        route TEXT NOT NULL,
        "key" TEXT NOT NULL,
        body_hash TEXT NOT NULL,
        status INTEGER NOT NULL,
        answer TEXT NOT NULL,
        created_at DOUBLE PRECISION NOT NULL,
        PRIMARY KEY (tenant, principal, route, "key")
    )
    """,
    """CREATE INDEX idempotency_oldest ON idempotency (created_at)""",
    """
    CREATE TABLE keys (
        tenant TEXT NOT NULL,
        id TEXT NOT NULL,
        principal TEXT NOT NULL,
        roles TEXT NOT NULL,
        secret_hash TEXT NOT NULL,
        created_at DOUBLE PRECISION NOT NULL,
        revoked_at DOUBLE PRECISION,
        PRIMARY KEY (tenant, id),
        UNIQUE (secret_hash)
    )
    """,
    """
    CREATE TABLE limits (
        tenant TEXT NOT NULL,
        "key" TEXT NOT NULL,
        arrival DOUBLE PRECISION NOT NULL,
        hold_until DOUBLE PRECISION NOT NULL,
        queue_end DOUBLE PRECISION NOT NULL,
        quota_left INTEGER,
        quota_until DOUBLE PRECISION,
        PRIMARY KEY (tenant, "key")
    )
    """,
    """
    CREATE TABLE reservations (
        tenant TEXT NOT NULL,
        "key" TEXT NOT NULL,
        run TEXT NOT NULL,
        turn DOUBLE PRECISION NOT NULL,
        at DOUBLE PRECISION NOT NULL,
        PRIMARY KEY (tenant, "key", run)
    )
    """,
    """CREATE INDEX reservations_at ON reservations (tenant, "key", at)""",
    """
    CREATE TABLE breakers (
        tenant TEXT NOT NULL,
        connection TEXT NOT NULL,
        state TEXT NOT NULL,
        failures INTEGER NOT NULL,
        until DOUBLE PRECISION NOT NULL,
        pause_s DOUBLE PRECISION NOT NULL,
        changed_at DOUBLE PRECISION NOT NULL,
        because TEXT NOT NULL,
        PRIMARY KEY (tenant, connection)
    )
    """,
    """
    CREATE TABLE stops (
        tenant TEXT NOT NULL,
        id TEXT NOT NULL,
        connection TEXT NOT NULL,
        stopped_by TEXT NOT NULL,
        reason TEXT NOT NULL,
        at DOUBLE PRECISION NOT NULL,
        lifted_at DOUBLE PRECISION,
        lifted_by TEXT,
        lift_reason TEXT,
        PRIMARY KEY (tenant, id)
    )
    """,
    """CREATE INDEX stops_standing ON stops (lifted_at)""",
    """
    CREATE TABLE pins (
        connection TEXT NOT NULL,
        n INTEGER NOT NULL,
        digest TEXT NOT NULL,
        definitions TEXT NOT NULL,
        accepted_by TEXT NOT NULL,
        at DOUBLE PRECISION NOT NULL,
        PRIMARY KEY (connection, n)
    )
    """,
    """
    CREATE TABLE plans (
        tenant TEXT NOT NULL,
        id TEXT NOT NULL,
        digest TEXT NOT NULL,
        principal TEXT NOT NULL,
        request TEXT,
        words TEXT NOT NULL,
        accepted TEXT NOT NULL,
        created_at DOUBLE PRECISION NOT NULL,
        PRIMARY KEY (tenant, id)
    )
    """,
    """CREATE INDEX plans_request ON plans (tenant, request)""",
    """
    CREATE TABLE requests (
        tenant TEXT NOT NULL,
        id TEXT NOT NULL,
        principal TEXT NOT NULL,
        roles TEXT NOT NULL,
        text TEXT NOT NULL,
        inputs TEXT NOT NULL,
        answers TEXT NOT NULL,
        model TEXT,
        start TEXT NOT NULL,
        detail TEXT NOT NULL,
        "plan" TEXT,
        run TEXT,
        priority INTEGER NOT NULL,
        status TEXT NOT NULL,
        waiting_for TEXT,
        code TEXT,
        wake_at DOUBLE PRECISION,
        wake_seq INTEGER NOT NULL,
        epoch INTEGER NOT NULL,
        driver TEXT,
        recoveries INTEGER NOT NULL,
        crashes INTEGER NOT NULL,
        created_at DOUBLE PRECISION NOT NULL,
        updated_at DOUBLE PRECISION NOT NULL,
        PRIMARY KEY (tenant, id)
    )
    """,
    """CREATE INDEX requests_due ON requests (status, wake_at)""",
    """CREATE INDEX requests_ended ON requests (status, updated_at)""",
    """CREATE INDEX requests_newest ON requests (tenant, created_at, id)""",
    """
    CREATE TABLE runs (
        tenant TEXT NOT NULL,
        id TEXT NOT NULL,
        "plan" TEXT NOT NULL,
        request TEXT,
        requester TEXT NOT NULL,
        cancel_mode TEXT,
        result TEXT,
        large TEXT,
        priority INTEGER NOT NULL,
        status TEXT NOT NULL,
        waiting_for TEXT,
        code TEXT,
        wake_at DOUBLE PRECISION,
        wake_seq INTEGER NOT NULL,
        epoch INTEGER NOT NULL,
        driver TEXT,
        recoveries INTEGER NOT NULL,
        crashes INTEGER NOT NULL,
        created_at DOUBLE PRECISION NOT NULL,
        updated_at DOUBLE PRECISION NOT NULL,
        PRIMARY KEY (tenant, id),
        FOREIGN KEY(tenant, "plan") REFERENCES plans (tenant, id)
    )
    """,
    """CREATE INDEX runs_due ON runs (status, wake_at)""",
    """CREATE INDEX runs_newest ON runs (tenant, created_at, id)""",
    """CREATE INDEX runs_ended ON runs (status, updated_at)""",
    """CREATE INDEX runs_plan ON runs (tenant, "plan")""",
    """
    CREATE TABLE workers (
        id TEXT NOT NULL,
        place TEXT NOT NULL,
        started_at DOUBLE PRECISION NOT NULL,
        lease_until DOUBLE PRECISION NOT NULL,
        PRIMARY KEY (id)
    )
    """,
)


def upgrade() -> None:
    """Create them."""
    for statement in _STATEMENTS:
        op.execute(statement)
