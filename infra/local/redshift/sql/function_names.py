"""The names of functions, by where they run and whether PostgreSQL's agree.

Sources: Redshift Database Developer Guide, "SQL functions reference", "Leader node-only functions", "Window functions".
"""

_AGREEING = """
    abs acos ascii asin atan atan2 bool_and bool_or btrim cbrt ceil ceiling chr coalesce cos cot count cume_dist degrees
    dense_rank exp first_value floor greatest last_value lead lag least left ln lpad ltrim max md5 min mod nth_value
    ntile nullif octet_length percent_rank pi power radians random rank repeat replace reverse right row_number
    rpad rtrim sign sin split_part sqrt stddev stddev_pop stddev_samp strpos substring substr tan to_char to_date to_hex
    to_number translate trim var_pop var_samp variance regexp_count regexp_instr
"""
_OF_OURS = """
    upper lower initcap sha2 crc32 regexp_substr trunc round json_parse can_json_parse json_serialize json_typeof
    json_array_length get_array_length is_valid_json is_valid_json_array is_array is_object is_varchar is_boolean
    is_scalar getdate sysdate pg_last_copy_count pg_last_copy_id version
"""
_OF_THE_LEADER = """
    current_schema current_schemas current_setting has_database_privilege has_schema_privilege has_table_privilege
    pg_get_userbyid now age generate_series set_config format_type array_to_string obj_description col_description
    pg_get_viewdef pg_table_is_visible pg_cancel_backend pg_terminate_backend
"""
_OF_THE_SESSION = "current_database current_user session_user user pg_backend_pid"
_WITH_OVER = """
    row_number rank dense_rank percent_rank cume_dist ntile lag lead first_value last_value nth_value ratio_to_report
"""
_OF_GROUPS = """
    avg count max median min percentile_cont percentile_disc stddev stddev_pop stddev_samp sum listagg var_pop var_samp
    variance bool_and bool_or
"""

SAME = frozenset((_AGREEING + _OF_THE_SESSION).split())  # known to agree with PostgreSQL's
OURS = frozenset(_OF_OURS.split())  # of schema rs, under the same name
SESSION = frozenset(_OF_THE_SESSION.split())
LEADER = frozenset(_OF_THE_LEADER.split())  # only in a query of catalogue tables, or of none
COMPUTE = frozenset({"listagg", "median", "percentile_cont"})  # only in a query of tables
WINDOW_ONLY = frozenset(_WITH_OVER.split())
FRAMED = frozenset((_OF_GROUPS + " first_value last_value nth_value").split())  # ORDER BY in OVER needs a frame

SYNONYMS = {
    "len": "char_length",
    "length": "char_length",
    "char_length": "char_length",
    "character_length": "char_length",
    "textlen": "char_length",
    "nvl": "coalesce",
    "pow": "power",
    "dpow": "power",
    "dexp": "exp",
    "dlog1": "ln",
    "replicate": "repeat",
    "array": "jsonb_build_array",
    "object": "jsonb_build_object",
}
