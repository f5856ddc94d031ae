-- What some dialects list jobs by: the type of the service, and the machine of the last attempt.
ALTER TABLE jobs ADD COLUMN service_type TEXT NOT NULL DEFAULT '';
ALTER TABLE jobs ADD COLUMN worker TEXT NOT NULL DEFAULT '';

-- It is replaced below, and need not follow the update.
DROP INDEX jobs_by_service;

-- The type is what follows the last dot. Started and Interrupted are all that changed the worker until now.
UPDATE jobs SET
    service_type = substr(service, length(rtrim(service, replace(service, '.', ''))) + 1),
    worker = coalesce((
        SELECT json_extract(body, '$.worker') FROM events
        WHERE job = jobs.number AND json_extract(body, '$.kind') IN ('Started', 'Interrupted')
        ORDER BY sequence DESC LIMIT 1
    ), '');

-- With the worker at its end, a service's jobs on one machine are counted without reading their rows.
-- The number stands before it to keep the order of submission at equal times.
CREATE INDEX jobs_by_service ON jobs (service, status, submitted_at, number, worker);
CREATE INDEX jobs_by_type ON jobs (service_type, status, submitted_at);
-- Most people see their own jobs only, in every list.
CREATE INDEX jobs_by_owner_and_service ON jobs (owner, service, status, submitted_at);
CREATE INDEX jobs_by_owner_and_type ON jobs (owner, service_type, status, submitted_at);
