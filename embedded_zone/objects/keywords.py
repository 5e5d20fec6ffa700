"""The condition keywords that the operations understand (``rodsKeyWdDef.h``) and the operation types."""

from __future__ import annotations

RESC_NAME = "rescName"
DEST_RESC_NAME = "destRescName"
DEF_RESC_NAME = "defRescName"
LEAF_RESC_NAME = "leafRescName"
RESC_HIER = "resc_hier"
DEST_RESC_HIER = "dest_resc_hier"
SELECTED_HIERARCHY = "selected_hierarchy"
REPL_NUM = "replNum"
REPLICA_TOKEN = "replicaToken"  # noqa: S105  a keyword's name
OPEN_TYPE = "openType"
FORCE = "forceFlag"
ALL = "all"
ADMIN = "irodsAdmin"
RMTRASH = "irodsRmTrash"
ADMIN_RMTRASH = "irodsAdminRmTrash"
RECURSIVE = "recursiveOpr"
REG_CHKSUM = "regChksum"
VERIFY_CHKSUM = "verifyChksum"
FORCE_CHKSUM = "forceChksum"
CHKSUM_ALL = "ChksumAll"
CHKSUM = "chksum"
NO_COMPUTE = "no_compute"
NO_CHECK_COPY_LENGTH = "noChkCopyLen"
FILE_PATH = "filePath"
REG_REPL = "regRepl"
COLLECTION = "collection"
DATA_TYPE = "dataType"
DATA_SIZE = "dataSize"
DATA_MODIFY = "dataModify"
DATA_INCLUDED = "dataIncluded"
COPIES = "copies"
AGE = "age"
DRYRUN = "dryrun"
UPDATE_REPL = "updateRepl"
METADATA_INCLUDED = "metadataIncluded"
ACL_INCLUDED = "aclIncluded"
SEL_OBJ_TYPE = "selObjType"
IN_REPL = "in_repl"
RSYNC_MODE = "rsyncMode"
RSYNC_DEST_PATH = "rsyncDestPath"
RSYNC_CHKSUM = "rsyncChksum"
RESOURCE_INFO_OPERATION = "getResourceInfoOpType"

# oprType (dataObjInpOut.h)
PUT_OPR = 1
REPLICATE_OPR = 6
REPLICATE_DEST = 7
REPLICATE_SRC = 8
COPY_DEST = 9
COPY_SRC = 10
RENAME_DATA_OBJ = 11
RENAME_COLL = 12
RSYNC_OPR = 14
PHYMV_OPR = 15
UNREG_OPR = 26

# openType of a descriptor
CREATE_TYPE = 1
OPEN_FOR_READ_TYPE = 2
OPEN_FOR_WRITE_TYPE = 3

# The flags are Linux's, as on the wire, whatever system this runs on.
O_WRONLY = 1
O_RDWR = 2
O_ACCMODE = 3
O_CREAT = 64
O_TRUNC = 512
