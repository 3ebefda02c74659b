-- An append-only table for the lines of eve-proxy's journals. Run once, as a superuser:
--
--     eve-proxy ship postgres --ddl | psql
--
-- eve_audit_owner owns it and nobody logs in as it; eve_shipper adds lines; eve_auditor reads them. Grant the last two
-- to the users who log in: GRANT eve_shipper TO some_user.

DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['eve_audit_owner', 'eve_shipper', 'eve_auditor'] LOOP
        IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = name) THEN
            EXECUTE format('CREATE ROLE %I NOLOGIN', name);
        END IF;
    END LOOP;
END
$$;

CREATE SCHEMA eve_audit AUTHORIZATION eve_audit_owner;
SET ROLE eve_audit_owner;

CREATE TABLE eve_audit.certificates (
    log_id         text        NOT NULL,
    seq            bigint      NOT NULL CHECK (seq >= 0),
    -- The line as it was written, without its newline. text, not jsonb: its spelling is part of the evidence.
    line           text        NOT NULL COLLATE "C",
    certificate_id text        NOT NULL GENERATED ALWAYS AS (line::jsonb ->> 'certificate_id') STORED,
    kind           text        NOT NULL GENERATED ALWAYS AS (line::jsonb ->> 'kind') STORED,
    verdict        text        GENERATED ALWAYS AS (line::jsonb ->> 'verdict') STORED,
    org_id         text        NOT NULL GENERATED ALWAYS AS (line::jsonb ->> 'org_id') STORED,
    content_hash   text        NOT NULL GENERATED ALWAYS AS (line::jsonb ->> 'content_hash') STORED,
    shipped_at     timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (log_id, seq),
    -- What the key says is what the line says.
    CHECK (log_id = line::jsonb #>> '{log,id}' AND seq = (line::jsonb #>> '{log,seq}')::bigint)
);
CREATE INDEX certificates_by_id ON eve_audit.certificates (certificate_id);

-- Privileges keep users from changing it. This keeps the owner from doing so by mistake.
CREATE FUNCTION eve_audit.refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'eve_audit.certificates is append-only: % is refused', TG_OP USING ERRCODE = 'insufficient_privilege';
END
$$;
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON eve_audit.certificates
    FOR EACH ROW EXECUTE FUNCTION eve_audit.refuse_change();
CREATE TRIGGER append_only_truncate BEFORE TRUNCATE ON eve_audit.certificates
    FOR EACH STATEMENT EXECUTE FUNCTION eve_audit.refuse_change();
ALTER TABLE eve_audit.certificates ENABLE ALWAYS TRIGGER append_only;
ALTER TABLE eve_audit.certificates ENABLE ALWAYS TRIGGER append_only_truncate;

REVOKE ALL ON SCHEMA eve_audit FROM PUBLIC;
REVOKE ALL ON eve_audit.certificates FROM PUBLIC;
GRANT USAGE ON SCHEMA eve_audit TO eve_shipper, eve_auditor;
GRANT INSERT (log_id, seq, line), SELECT (log_id, seq, content_hash) ON eve_audit.certificates TO eve_shipper;
GRANT SELECT ON eve_audit.certificates TO eve_auditor;

RESET ROLE;
