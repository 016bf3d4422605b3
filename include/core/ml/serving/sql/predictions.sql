-- Every prediction that was served, once, and what came of it.

CREATE TABLE IF NOT EXISTS predictions (
    prediction_id uuid PRIMARY KEY,
    served_at timestamp with time zone NOT NULL,
    model_name text NOT NULL,
    model_version integer NOT NULL,
    -- live; check: what a deployment asked, to see that the model answers; replay: sample traffic of another day.
    purpose text NOT NULL,
    inputs jsonb NOT NULL,
    probability double precision NOT NULL,
    outcome boolean NOT NULL
);

DO $$
BEGIN
    IF NOT EXISTS (
        SELECT FROM pg_constraint WHERE conrelid = 'predictions'::regclass AND conname = 'predictions_purpose'
    ) THEN
        ALTER TABLE predictions DROP CONSTRAINT IF EXISTS predictions_purpose_check;
        ALTER TABLE predictions ADD CONSTRAINT predictions_purpose CHECK (purpose IN ('live', 'check', 'replay'));
    END IF;
END
$$;

CREATE INDEX IF NOT EXISTS predictions_served ON predictions (model_name, served_at);

-- What turned out to be true; may arrive before its prediction is written.
CREATE TABLE IF NOT EXISTS outcomes (
    prediction_id uuid PRIMARY KEY,
    outcome boolean NOT NULL,
    arrived_at timestamp with time zone NOT NULL DEFAULT now()
);
