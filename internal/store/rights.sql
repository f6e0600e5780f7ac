-- Who may do what with QuoteKit's tables and functions, where the database has the roles
-- that Supabase gives to those who ask over its API: anon, authenticated, service_role.
-- Where it has none of them, this changes nothing. It runs after every migration and does
-- only what is not so already, so that roles may be made at any time.
--
-- The owner of the tables, which is the service, is not bound by row level security. Tables
-- that were there before ours, and those of another owner, are left alone.
DO $$
DECLARE
  here CONSTANT OID := (SELECT n.oid FROM pg_namespace AS n WHERE n.nspname = current_schema());
  api CONSTANT TEXT[] := ARRAY(SELECT r.rolname::TEXT FROM pg_roles AS r WHERE r.rolname IN ('anon', 'authenticated'));
  users CONSTANT BOOLEAN := 'authenticated' = ANY (api);
  service CONSTANT BOOLEAN := EXISTS (SELECT 1 FROM pg_roles AS r WHERE r.rolname = 'service_role');
  theirs CONSTANT TEXT[] := ARRAY(SELECT a.name FROM quotekit_application_tables AS a);
  own CONSTANT TEXT := 'user_id = (SELECT quotekit_user_id())';
  condition TEXT;
  t RECORD;
  f RECORD;
  one TEXT;
BEGIN
  IF cardinality(api) = 0 AND NOT service THEN
    RETURN;
  END IF;

  -- Users see their own rows, those of their jobs and subscriptions, or, being admins,
  -- all; 'change' are own rows that they may change as well. The service role writes what
  -- other programs may write without QuoteKit being told, and reads the rest.
  FOR t IN
    WITH ours (name, users_see, service_may) AS (VALUES
      ('stripe_webhook_events', 'admin', 'read'), ('stripe_objects', '', 'read'),
      ('stripe_customers', 'own', 'write'), ('stripe_products', '', 'write'), ('stripe_prices', '', 'write'),
      ('subscriptions', 'own', 'write'), ('subscription_items', 'subscription', 'write'),
      ('subscription_changes', 'subscription', 'write'), ('stripe_invoices', 'own', 'write'),
      ('payment_methods', 'own', 'write'), ('stripe_checkout_sessions', 'own', 'write'),
      ('webhook_processing_logs', 'admin', 'write'), ('webhook_dead_letter_queue', 'admin', 'write'),
      ('webhook_performance_benchmarks', 'admin', 'write'), ('webhook_error_groups', 'admin', 'read'),
      ('webhook_audit_trail', 'admin', 'read'), ('webhook_audit_chain', 'admin', 'read'),
      ('webhook_tasks', 'admin', 'read'), ('webhook_task_items', 'admin', 'read'),
      ('webhook_count_deltas', 'admin', 'read'), ('webhook_event_counts', 'admin', 'read'),
      ('webhook_latencies', 'admin', 'read'), ('webhook_refusals', 'admin', 'read'),
      ('webhook_alerts', 'admin', 'read'), ('webhook_alert_deliveries', 'admin', 'read'),
      ('webhook_alert_evaluations', 'admin', 'read'), ('webhook_retention', 'admin', 'read'),
      ('batch_jobs', 'own', 'write'), ('batch_job_items', 'job', 'write'), ('batch_job_inputs', 'job', 'write'),
      ('clients', 'change', 'write'), ('items', 'change', 'write'), ('quotes', 'change', 'write'),
      ('dashboard_sessions', '', ''), ('quotekit_application_tables', '', ''), ('quotekit_schema_version', '', '')
    )
    SELECT c.oid, c.oid::REGCLASS AS name, c.relname, COALESCE(o.users_see, '') AS users_see, o.service_may,
      EXISTS (SELECT 1 FROM pg_policy AS p WHERE p.polrelid = c.oid AND p.polname = 'quotekit_service_role') AS done
    FROM pg_class AS c
    LEFT JOIN ours AS o ON o.name = c.relname
    WHERE c.relnamespace = here AND c.relkind IN ('r', 'p') AND (o.name IS NOT NULL OR c.relname LIKE 'river\_%')
      AND pg_has_role(c.relowner, 'USAGE')
      AND c.relname <> ALL (theirs)
    ORDER BY c.relname
  LOOP
    IF NOT t.done THEN
      EXECUTE format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY', t.name);
      -- Supabase gives every new table in public to these roles, with TRUNCATE.
      IF cardinality(api) > 0 THEN
        EXECUTE format('REVOKE ALL ON TABLE %s FROM %s', t.name, array_to_string(api, ', '));
      END IF;
      EXECUTE format('DROP POLICY IF EXISTS quotekit_users ON %s', t.name);
      EXECUTE format('CREATE POLICY quotekit_service_role ON %s USING (current_user = ''service_role'')', t.name);
      condition := CASE t.users_see
        WHEN 'own' THEN own
        WHEN 'change' THEN own
        WHEN 'job' THEN 'EXISTS (SELECT 1 FROM batch_jobs AS j WHERE j.id = job_id AND j.' || own || ')'
        WHEN 'subscription' THEN format('EXISTS (SELECT 1 FROM subscriptions AS s WHERE s.account = %1$I.account '
          'AND s.livemode = %1$I.livemode AND s.stripe_subscription_id = %1$I.stripe_subscription_id AND s.', t.relname) || own || ')'
        WHEN 'admin' THEN '(SELECT quotekit_is_admin())'
      END;
      IF condition IS NOT NULL THEN
        EXECUTE format('CREATE POLICY quotekit_users ON %s FOR %s USING (%s)', t.name,
          CASE t.users_see WHEN 'change' THEN 'ALL' ELSE 'SELECT' END, condition);
      END IF;
    END IF;
    FOREACH one IN ARRAY ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE'] LOOP
      IF users AND (t.users_see = 'change' OR t.users_see <> '' AND one = 'SELECT')
        AND NOT has_table_privilege('authenticated', t.oid, one) THEN
        EXECUTE format('GRANT %s ON TABLE %s TO authenticated', one, t.name);
      END IF;
      IF service AND (t.service_may = 'write' OR t.service_may = 'read' AND one = 'SELECT')
        AND NOT has_table_privilege('service_role', t.oid, one) THEN
        EXECUTE format('GRANT %s ON TABLE %s TO service_role', one, t.name);
      END IF;
    END LOOP;
  END LOOP;

  FOR f IN
    SELECT p.oid, p.oid::REGPROCEDURE AS name, p.proname = 'get_batch_job_status' AS for_users
    FROM pg_proc AS p
    WHERE p.pronamespace = here AND pg_has_role(p.proowner, 'USAGE')
      AND p.proname IN ('get_batch_job_status', 'cleanup_old_batch_jobs', 'record_webhook_stage',
        'send_to_dead_letter_queue', 'get_webhook_performance_summary')
  LOOP
    FOREACH one IN ARRAY api LOOP
      IF f.for_users AND one = 'authenticated' THEN
        IF NOT has_function_privilege(one, f.oid, 'EXECUTE') THEN
          EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO %I', f.name, one);
        END IF;
      ELSIF has_function_privilege(one, f.oid, 'EXECUTE') THEN
        EXECUTE format('REVOKE ALL ON FUNCTION %s FROM %I', f.name, one);
      END IF;
    END LOOP;
    IF service AND NOT has_function_privilege('service_role', f.oid, 'EXECUTE') THEN
      EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO service_role', f.name);
    END IF;
  END LOOP;

  FOR one IN
    SELECT r.rolname
    FROM pg_roles AS r
    JOIN pg_namespace AS n ON n.oid = here
    WHERE r.rolname IN ('authenticated', 'service_role') AND NOT has_schema_privilege(r.oid, here, 'USAGE')
      AND pg_has_role(n.nspowner, 'USAGE')
  LOOP
    EXECUTE format('GRANT USAGE ON SCHEMA %I TO %I', current_schema(), one);
  END LOOP;
END
$$;
