-- publication: one row that says what this file was made from, and when.
-- From the publisher. candidate_id and check_id are the last ones in the file, log_sequence is the last record that
-- had been admitted. The public file has no row: it would count what was never released.
CREATE VIEW publication AS
SELECT
    publication.candidate_id,
    publication.check_id,
    publication.log_sequence,
    publication.published_at
FROM published.publication AS publication;
