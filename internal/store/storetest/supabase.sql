-- Makes the roles that Supabase gives to its API. The owner of the databases of tests may
-- act as each, as Supabase's postgres may. They are the server's, and several test binaries
-- may be at it.
DO $$
DECLARE
  role TEXT;
BEGIN
  PERFORM pg_advisory_xact_lock(hashtextextended('quotekit test roles', 0));
  FOREACH role IN ARRAY ARRAY['anon', 'authenticated', 'service_role'] LOOP
    IF NOT EXISTS (SELECT 1 FROM pg_roles WHERE rolname = role) THEN
      EXECUTE format('CREATE ROLE %I NOLOGIN NOINHERIT', role);
    END IF;
    IF NOT pg_has_role('pgtdbuser', role, 'MEMBER') THEN
      EXECUTE format('GRANT %I TO pgtdbuser', role);
    END IF;
  END LOOP;
  ALTER ROLE service_role BYPASSRLS;
END
$$;
