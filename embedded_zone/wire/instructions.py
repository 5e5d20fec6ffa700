"""The pack instructions: the layout of every structure that iRODS sends, by its name on the wire.

The strings are those of iRODS 5.0.2 (``rodsPackInstruct.h`` and the headers of ``lib/api``); one table drives
both body protocols. ``embedded_zone.wire.layout`` turns them into fields.
"""

from __future__ import annotations

# Sizes that the instructions name; string sizes include the terminating NUL (rodsDef.h).
CONSTANTS: dict[str, int] = {
    "HEADER_TYPE_LEN": 128,
    "NAME_LEN": 64,
    "CHKSUM_LEN": 64,
    "LONG_NAME_LEN": 256,
    "MAX_NAME_LEN": 1088,
    "SHORT_STR_LEN": 32,
    "TIME_LEN": 32,
    "DIR_LEN": 256,
    "ERR_MSG_LEN": 1024,
    "MAX_SQL_ATTR": 50,
    "RULE_SET_DEF_LENGTH": 10880,
    "META_STR_LEN": 20480,
    "CHALLENGE_LEN": 64,
    "RESPONSE_LEN": 16,
    "MAX_PASSWORD_LEN": 50,
    "HUGE_NAME_LEN": 100000,
    "MAX_NUM_CONFIG_TRAN_THR": 64,
}

INSTRUCTIONS: dict[str, str] = {
    "authCheckInp_PI": "str *challenge; str *response; str *username;",
    "authCheckOut_PI": "int privLevel; int clientPrivLevel; str *serverResponse;",
    "AuthInfo_PI": (
        "str authScheme[NAME_LEN]; int authFlag; int flag; int ppid; str host[NAME_LEN]; str authStr[NAME_LEN];"
    ),
    "authPlugReqInp_PI": "str auth_scheme_[MAX_NAME_LEN]; str context_[MAX_NAME_LEN];",
    "authPlugReqOut_PI": "str result_[MAX_NAME_LEN];",
    "authRequestOut_PI": "bin *challenge(CHALLENGE_LEN);",
    "authResponseInp_PI": "bin *response(RESPONSE_LEN); str *username;",
    "BinBytesBuf_PI": "int buflen; bin *buf(buflen);",
    "BOOL_PI": "int myInt;",
    "BUF_LEN_PI": "int myInt;",
    "BulkOprInp_PI": "str objPath[MAX_NAME_LEN]; struct GenQueryOut_PI; struct KeyValPair_PI;",
    "BytesBuf_PI": "int buflen; char *buf(buflen);",
    "CHAR_PI": "char myChar;",
    "charDataArray_PI": "int type; int len; char *buf(len);",
    "CheckAuthCredentialsInput_PI": "str username[64]; str zone[64]; str password[250];",
    "ChkObjPermAndStat_PI": (
        "str objPath[MAX_NAME_LEN]; str permission[NAME_LEN]; int flags; int status; struct KeyValPair_PI;"
    ),
    "CollEnt_PI": (
        "int objType; int replNum; int replStatus; int dataMode; double dataSize; str $collName; str $dataName; "
        "str $dataId; str $createTime; str $modifyTime; str $chksum; str $resource; str $resc_hier; str $phyPath; "
        "str $ownerName; str $dataType; struct SpecColl_PI;"
    ),
    "CollInfo_PI": (
        "double collId; str collName[MAX_NAME_LEN]; str collParentName[MAX_NAME_LEN]; str "
        "collOwnerName[NAME_LEN]; str collOwnerZone[NAME_LEN]; int collMapId; int collAccessInx; str "
        "collComments[LONG_NAME_LEN]; str collInheritance[LONG_NAME_LEN]; str collExpiry[TIME_LEN]; str "
        "collCreate[TIME_LEN]; str collModify[TIME_LEN]; str collAccess[NAME_LEN]; str collType[NAME_LEN]; str "
        "collInfo1[MAX_NAME_LEN]; str collInfo2[MAX_NAME_LEN]; struct KeyValPair_PI; int *next;"
    ),
    "CollInpNew_PI": "str collName[MAX_NAME_LEN]; int flags; int oprType; struct KeyValPair_PI;",
    "CollOprStat_PI": "int filesCnt; int totalFileCnt; double bytesWritten; str lastObjPath[MAX_NAME_LEN];",
    "CS_NEG_PI": "int status; str result[MAX_NAME_LEN];",
    "DataCopyInp_PI": "struct DataOprInp_PI; struct PortalOprOut_PI;",
    "DataObjCopyInp_PI": "struct DataObjInp_PI; struct DataObjInp_PI;",
    "DataObjInfo_PI": (
        "str objPath[MAX_NAME_LEN]; str rescName[NAME_LEN]; str rescHier[MAX_NAME_LEN]; str dataType[NAME_LEN]; "
        "double dataSize; str chksum[NAME_LEN]; str version[NAME_LEN]; str filePath[MAX_NAME_LEN]; str "
        "dataOwnerName[NAME_LEN]; str dataOwnerZone[NAME_LEN]; int replNum; int replStatus; str "
        "statusString[NAME_LEN]; double dataId; double collId; int dataMapId; int flags; str "
        "dataComments[LONG_NAME_LEN]; str dataMode[SHORT_STR_LEN]; str dataExpiry[TIME_LEN]; str "
        "dataCreate[TIME_LEN]; str dataModify[TIME_LEN]; str dataAccess[NAME_LEN]; int dataAccessInx; int "
        "writeFlag; str destRescName[NAME_LEN]; str backupRescName[NAME_LEN]; str subPath[MAX_NAME_LEN]; int "
        "*specColl; int regUid; int otherFlags; struct KeyValPair_PI; str in_pdmo[MAX_NAME_LEN]; int *next; "
        "double rescId; str dataAccessTime[TIME_LEN];"
    ),
    "DataObjInp_PI": (
        "str objPath[MAX_NAME_LEN]; int createMode; int openFlags; double offset; double dataSize; int "
        "numThreads; int oprType; struct *SpecColl_PI; struct KeyValPair_PI;"
    ),
    "DataOprInp_PI": (
        "int oprType; int numThreads; int srcL3descInx; int destL3descInx; int srcRescTypeInx; int "
        "destRescTypeInx; double offset; double dataSize; struct KeyValPair_PI;"
    ),
    "DataSeg_PI": "double len; double offset;",
    "DelayRuleLockInput_PI": "str rule_id[32]; str lock_host[300]; int lock_host_pid; struct KeyValPair_PI;",
    "DelayRuleUnlockInput_PI": "str *rule_ids; struct KeyValPair_PI;",
    "DOUBLE_PI": "double myDouble;",
    "endTransactionInp_PI": "str *arg0; str *arg1;",
    "ExecCmd_PI": (
        "str cmd[LONG_NAME_LEN]; str cmdArgv[HUGE_NAME_LEN]; str execAddr[LONG_NAME_LEN]; str "
        "hintPath[MAX_NAME_LEN]; int addPathToArgv; int dummy; struct KeyValPair_PI;"
    ),
    "ExecCmdOut_PI": "struct BinBytesBuf_PI; struct BinBytesBuf_PI; int status;",
    "ExecMyRuleInp_PI": (
        "str myRule[META_STR_LEN]; struct RHostAddr_PI; struct KeyValPair_PI; str outParamDesc[LONG_NAME_LEN]; "
        "struct *MsParamArray_PI;"
    ),
    "ExecRuleExpression_PI": "struct BytesBuf_PI; struct BytesBuf_PI; struct *MsParamArray_PI;",
    "fileChksumInp_PI": (
        "struct RHostAddr_PI; str fileName[MAX_NAME_LEN]; str rescHier[MAX_NAME_LEN]; str objPath[MAX_NAME_LEN]; "
        "int flags; str in_pdmo[MAX_NAME_LEN]; str orig_chksum[NAME_LEN]; double dataSize; struct KeyValPair_PI;"
    ),
    "fileChksumOut_PI": "str chksumStr[NAME_LEN];",
    "fileChmodInp_PI": (
        "struct RHostAddr_PI; str fileName[MAX_NAME_LEN]; int mode; str rescHier[MAX_NAME_LEN]; str "
        "objPath[MAX_NAME_LEN];"
    ),
    "fileClosedirInp_PI": "int fileInx;",
    "fileCloseInp_PI": "int fileInx; str in_pdmo[MAX_NAME_LEN];",
    "fileCreateOut_PI": "str file_name[MAX_NAME_LEN];",
    "fileGetFsFreeSpaceInp_PI": (
        "struct RHostAddr_PI; str fileName[MAX_NAME_LEN]; str rescHier[MAX_NAME_LEN]; str objPath[MAX_NAME_LEN]; "
        "int flag;"
    ),
    "fileGetFsFreeSpaceOut_PI": "double size;",
    "fileLseekInp_PI": "int fileInx; double offset; int whence;",
    "fileLseekOut_PI": "double offset;",
    "fileMkdirInp_PI": (
        "struct RHostAddr_PI; str dirName[MAX_NAME_LEN]; str rescHier[MAX_NAME_LEN]; int mode; struct KeyValPair_PI;"
    ),
    "fileOpendirInp_PI": (
        "str resc_name_[MAX_NAME_LEN]; str resc_hier_[MAX_NAME_LEN]; str objPath[MAX_NAME_LEN]; struct "
        "RHostAddr_PI; str dirName[MAX_NAME_LEN];"
    ),
    "fileOpenInp_PI": (
        "str resc_name_[MAX_NAME_LEN]; str resc_hier_[MAX_NAME_LEN]; str objPath[MAX_NAME_LEN]; int otherFlags; "
        "struct RHostAddr_PI; str fileName[MAX_NAME_LEN]; int flags; int mode; double dataSize; struct "
        "KeyValPair_PI; str in_pdmo[MAX_NAME_LEN];"
    ),
    "filePutOut_PI": "str file_name[MAX_NAME_LEN];",
    "fileReaddirInp_PI": "int fileInx;",
    "fileReadInp_PI": "int fileInx; int len;",
    "fileRenameInp_PI": (
        "struct RHostAddr_PI; str oldFileName[MAX_NAME_LEN]; str newFileName[MAX_NAME_LEN]; str "
        "rescHier[MAX_NAME_LEN]; str objPath[MAX_NAME_LEN];"
    ),
    "fileRenameOut_PI": "str file_name[MAX_NAME_LEN];",
    "FileRestartInfo_PI": (
        "str fileName[MAX_NAME_LEN]; str objPath[MAX_NAME_LEN]; int numSeg; int flags; double fileSize; struct "
        "DataSeg_PI[numSeg];"
    ),
    "fileRmdirInp_PI": "int flag; struct RHostAddr_PI; str dirName[MAX_NAME_LEN]; str rescHier[MAX_NAME_LEN];",
    "fileStageSyncInp_PI": (
        "int mode; int flags; double dataSize; struct RHostAddr_PI; str filename[MAX_NAME_LEN]; str "
        "cacheFilename[MAX_NAME_LEN]; str objPath[MAX_NAME_LEN]; str rescHier[MAX_NAME_LEN]; struct "
        "KeyValPair_PI;"
    ),
    "fileStatInp_PI": (
        "struct RHostAddr_PI; str fileName[MAX_NAME_LEN]; str rescHier[MAX_NAME_LEN]; str objPath[MAX_NAME_LEN]; "
        "double rescId;"
    ),
    "fileSyncOut_PI": "str file_name[MAX_NAME_LEN];",
    "fileUnlinkInp_PI": (
        "struct RHostAddr_PI; str fileName[MAX_NAME_LEN]; str rescHier[MAX_NAME_LEN]; str objPath[MAX_NAME_LEN]; "
        "str in_pdmo[MAX_NAME_LEN];"
    ),
    "fileWriteInp_PI": "int fileInx; int len;",
    "FLOAT_PI": "int myInt;",
    "GenArraysInp_PI": (
        "int rowCnt; int attriCnt; int continueInx; int totalRowCount; struct KeyValPair_PI; struct "
        "SqlResult_PI[MAX_SQL_ATTR];"
    ),
    "generalAdminInp_PI": (
        "str *arg0; str *arg1; str *arg2; str *arg3; str *arg4; str *arg5; str *arg6; str *arg7; str *arg8; str *arg9;"
    ),
    "Genquery2Input_PI": "str *query_string; str *zone; int sql_only; int column_mappings;",
    "GenQueryInp_PI": (
        "int maxRows; int continueInx; int partialStartIndex; int options; struct KeyValPair_PI; struct "
        "InxIvalPair_PI; struct InxValPair_PI;"
    ),
    "GenQueryOut_PI": (
        "int rowCnt; int attriCnt; int continueInx; int totalRowCount; struct SqlResult_PI[MAX_SQL_ATTR];"
    ),
    "getHierarchyForRescInp_PI": "str resc_name_[MAX_NAME_LEN];",
    "getHierarchyForRescOut_PI": "str resc_hier_[MAX_NAME_LEN];",
    "GetHierInp_PI": "double resc_id_;",
    "GetHierOut_PI": "str hier_[MAX_NAME_LEN];",
    "getLimitedPasswordInp_PI": "int ttl; str *unused1;",
    "getLimitedPasswordOut_PI": "str stringToHashWith[MAX_PASSWORD_LEN];",
    "getRescQuotaInp_PI": (
        "str rescName[NAME_LEN]; str userName[NAME_LEN]; str zoneHint[MAX_NAME_LEN]; int flags; int dummy; struct "
        "KeyValPair_PI;"
    ),
    "getTempPasswordForOtherInp_PI": "str *targetUser; str *unused;",
    "getTempPasswordForOtherOut_PI": "str stringToHashWith[MAX_PASSWORD_LEN];",
    "getTempPasswordOut_PI": "str stringToHashWith[MAX_PASSWORD_LEN];",
    "INT16_PI": "int16 myInt;",
    "int16DataArray_PI": "int type; int len; int16 *buf(len);",
    "int64DataArray_PI": "int type; int len; double *buf(len);",
    "INT_PI": "int myInt;",
    "IntArray_PI": "int len; int *value(len);",
    "intDataArray_PI": "int type; int len; int *buf(len);",
    "InxIvalPair_PI": "int iiLen; int *inx(iiLen); int *ivalue(iiLen);",
    "InxValPair_PI": "int isLen; int *inx(isLen); str *svalue[isLen];",
    "IRODS_STR_PI": "str myStr[MAX_NAME_LEN];",
    "KeyValPair_PI": "int ssLen; str *keyWord[ssLen]; str *svalue[ssLen];",
    "MiscSvrInfo_PI": (
        "int serverType; int serverBootTime; str relVersion[NAME_LEN]; str apiVersion[NAME_LEN]; str "
        "rodsZone[NAME_LEN]; struct BinBytesBuf_PI;"
    ),
    "modAccessControlInp_PI": "int recursiveFlag; str *accessLevel; str *userName; str *zone; str *path;",
    "ModAVUMetadataInp_PI": (
        "str *arg0; str *arg1; str *arg2; str *arg3; str *arg4; str *arg5; str *arg6; str *arg7; str *arg8; str "
        "*arg9; struct KeyValPair_PI;"
    ),
    "ModDataObjMeta_PI": "struct *DataObjInfo_PI; struct *KeyValPair_PI;",
    "MsgHeader_PI": "str type[HEADER_TYPE_LEN]; int msgLen; int errorLen; int bsLen; int intInfo;",
    "MsParam_PI": "str *label; piStr *type; ?type *inOutStruct; struct *BinBytesBuf_PI;",
    "MsParamArray_PI": "int paramLen; int oprType; struct *MsParam_PI[paramLen];",
    "OpenedDataObjInp_PI": (
        "int l1descInx; int len; int whence; int oprType; double offset; double bytesWritten; struct KeyValPair_PI;"
    ),
    "OpenStat_PI": (
        "double dataSize; str dataType[NAME_LEN]; str dataMode[SHORT_STR_LEN]; int l3descInx; int replStatus; int "
        "rescTypeInx; int replNum;"
    ),
    "pamAuthRequestInp_PI": "str *pamUser; str *pamPassword; int timeToLive;",
    "pamAuthRequestOut_PI": "str *irodsPamPassword;",
    "PI_STR_PI": "piStr myStr[MAX_NAME_LEN];",
    "PortalOprOut_PI": "int status; int l1descInx; int numThreads; str chksum[NAME_LEN]; struct PortList_PI;",
    "PortList_PI": "int portNum; int cookie; int sock; int windowSize; str hostAddr[LONG_NAME_LEN];",
    "ProcStatInp_PI": "str addr[LONG_NAME_LEN]; str rodsZone[NAME_LEN]; struct KeyValPair_PI;",
    "ReArg_PI": "int myArgc; str *myArgv[myArgc];",
    "ReconnMsg_PI": "int status; int cookie; int procState; int flag;",
    "RegReplica_PI": "struct *DataObjInfo_PI; struct *DataObjInfo_PI; struct KeyValPair_PI;",
    "Rei_PI": (
        "int status; str statusStr[MAX_NAME_LEN]; str ruleName[NAME_LEN]; int *rsComm; str "
        "pluginInstanceName[MAX_NAME_LEN]; struct *MsParamArray_PI; struct MsParamArray_PI; int l1descInx; struct "
        "*DataObjInp_PI; struct *DataObjInfo_PI; str rescName[NAME_LEN]; struct *UserInfo_PI; struct "
        "*UserInfo_PI; struct *CollInfo_PI; struct *UserInfo_PI; struct *KeyValPair_PI; str "
        "ruleSet[RULE_SET_DEF_LENGTH]; int *next;"
    ),
    "ReiAndArg_PI": "struct *Rei_PI; struct ReArg_PI;",
    "RErrMsg_PI": "int status; str msg[ERR_MSG_LEN];",
    "RError_PI": "int count; struct *RErrMsg_PI[count];",
    "rescQuota_PI": (
        "str rescName[NAME_LEN]; str userId[NAME_LEN]; int flags; int dummy; double quotaLimit; double "
        "quotaOverrun; struct *rescQuota_PI;"
    ),
    "RHostAddr_PI": "str hostAddr[LONG_NAME_LEN]; str rodsZone[NAME_LEN]; int port; int dummyInt;",
    "RODS_DIRENT_T_PI": "int d_offset; int d_ino; int d_reclen; int d_namlen; str d_name[DIR_LEN];",
    "RODS_STAT_T_PI": (
        "double st_size; int st_dev; int st_ino; int st_mode; int st_nlink; int st_uid; int st_gid; int st_rdev; "
        "int st_atim; int st_mtim; int st_ctim; int st_blksize; int st_blocks;"
    ),
    "RodsObjStat_PI": (
        "double objSize; int objType; int dataMode; str dataId[NAME_LEN]; str chksum[NAME_LEN]; str "
        "ownerName[NAME_LEN]; str ownerZone[NAME_LEN]; str createTime[TIME_LEN]; str modifyTime[TIME_LEN]; struct "
        "*SpecColl_PI;"
    ),
    "RULE_EXEC_DEL_INP_PI": "str ruleExecId[NAME_LEN];",
    "RULE_EXEC_MOD_INP_PI": "str ruleId[NAME_LEN]; struct KeyValPair_PI;",
    "RULE_EXEC_SUBMIT_INP_PI": (
        "str ruleName[META_STR_LEN]; str reiFilePath[MAX_NAME_LEN]; str userName[NAME_LEN]; str "
        "exeAddress[NAME_LEN]; str exeTime[TIME_LEN]; str exeFrequency[NAME_LEN]; str priority[NAME_LEN]; str "
        "lastExecTime[NAME_LEN]; str exeStatus[NAME_LEN]; str estimateExeTime[NAME_LEN]; str "
        "notificationAddr[NAME_LEN]; struct KeyValPair_PI; struct *BytesBuf_PI; str ruleExecId[NAME_LEN];"
    ),
    "SpecColl_PI": (
        "int collClass; int type; str collection[MAX_NAME_LEN]; str objPath[MAX_NAME_LEN]; str "
        "resource[NAME_LEN]; str rescHier[MAX_NAME_LEN]; str phyPath[MAX_NAME_LEN]; str cacheDir[MAX_NAME_LEN]; "
        "int cacheDirty; int replNum;"
    ),
    "specificQueryInp_PI": (
        "str *sql; str *arg1; str *arg2; str *arg3; str *arg4; str *arg5; str *arg6; str *arg7; str *arg8; str "
        "*arg9; str *arg10; int maxRows; int continueInx; int rowOffset; int options; struct KeyValPair_PI;"
    ),
    "SqlResult_PI": "int attriInx; int reslen; str *value(rowCnt)(reslen);",
    "sslEndInp_PI": "str *arg0;",
    "sslStartInp_PI": "str *arg0;",
    "StartupPack_PI": (
        "int irodsProt; int reconnFlag; int connectCnt; str proxyUser[NAME_LEN]; str proxyRcatZone[NAME_LEN]; str "
        "clientUser[NAME_LEN]; str clientRcatZone[NAME_LEN]; str relVersion[NAME_LEN]; str apiVersion[NAME_LEN]; "
        "str option[LONG_NAME_LEN];"
    ),
    "STR_PI": "str myStr;",
    "STR_PTR_PI": "str *myStr;",
    "StrArray_PI": "int len; int size; str *value(len)(size);",
    "strDataArray_PI": "int type; int len; str *buf[len];",
    "StructFileExtAndRegInp_PI": (
        "str objPath[MAX_NAME_LEN]; str collection[MAX_NAME_LEN]; int oprType; int flags; struct KeyValPair_PI;"
    ),
    "StructFileOprInp_PI": "struct RHostAddr_PI; int oprType; int flags; struct *SpecColl_PI; struct KeyValPair_PI;",
    "SubFile_PI": (
        "struct RHostAddr_PI; str subFilePath[MAX_NAME_LEN]; int mode; int flags; double offset; struct *SpecColl_PI;"
    ),
    "SubStructFileFdOpr_PI": "struct RHostAddr_PI; int type; int fd; int len;",
    "SubStructFileLseekInp_PI": "struct RHostAddr_PI; int type; int fd; double offset; int whence;",
    "SubStructFileRenameInp_PI": "struct SubFile_PI; str newSubFilePath[MAX_NAME_LEN]; str resc_hier[MAX_NAME_LEN];",
    "TagStruct_PI": "int ssLen; str *preTag[ssLen]; str *postTag[ssLen]; str *keyWord[ssLen];",
    "ticketAdminInp_PI": "str *arg1; str *arg2; str *arg3; str *arg4; str *arg5; str *arg6; struct KeyValPair_PI;",
    "TransferStat_PI": "int numThreads; int flags; double bytesWritten;",
    "TransStat_PI": "int numThreads; double bytesWritten;",
    "UnregDataObj_PI": "struct *DataObjInfo_PI; struct *KeyValPair_PI;",
    "userAdminInp_PI": (
        "str *arg0; str *arg1; str *arg2; str *arg3; str *arg4; str *arg5; str *arg6; str *arg7; str *arg8; str *arg9;"
    ),
    "UserInfo_PI": (
        "str userName[NAME_LEN]; str rodsZone[NAME_LEN]; str userType[NAME_LEN]; int sysUid; struct AuthInfo_PI; "
        "struct UserOtherInfo_PI;"
    ),
    "UserOtherInfo_PI": (
        "str userInfo[NAME_LEN]; str userComments[NAME_LEN]; str userCreate[TIME_LEN]; str userModify[TIME_LEN];"
    ),
    "VaultPathPolicy_PI": "int scheme; int addUserName; int trimDirCnt;",
    "Version_PI": (
        "int status; str relVersion[NAME_LEN]; str apiVersion[NAME_LEN]; int reconnPort; str "
        "reconnAddr[LONG_NAME_LEN]; int cookie;"
    ),
}
