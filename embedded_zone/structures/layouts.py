"""The structures of the module ``irods_types`` as data, one line per class of the Python rule engine plugin 5.0.1.

A field is ``name:kind``. Kinds: ``i`` number (read-only, as the plugin exports data members without a setter),
``w`` number that may be assigned, ``cN`` ``char[N]``, ``s`` ``char *``, ``S`` array of ``char *``, ``I`` array of
int, ``p`` pointer that may be assigned, ``m`` string map, and a class name for an embedded structure.
"""

from __future__ import annotations

from dataclasses import dataclass

# Sizes of iRODS (rodsDef.h): NAME_LEN 64, LONG_NAME_LEN 256, MAX_NAME_LEN 1088, META_STR_LEN 20480, HEADER_TYPE 128.
TEXT = """
KeyValPair len:i key:S value:S
InxIvalPair len:i inx:I value:I
InxValPair len:i inx:I value:S
RodsHostAddr hostAddr:c256 zoneName:c64 portNum:i dummyInt:i
SpecColl collClass:w type:w collection:c1088 objPath:c1088 resource:c64 rescHier:c2700 phyPath:c1088 cacheDir:c1088
 cacheDirty:w replNum:w
DataObjInp objPath:c1088 createMode:i openFlags:i offset:i dataSize:i numThreads:i oprType:i specColl:p
 condInput:KeyValPair
OpenedDataObjInp l1descInx:i len:i whence:i oprType:i offset:i bytesWritten:i condInput:KeyValPair
DataObjCopyInp srcDataObjInp:DataObjInp destDataObjInp:DataObjInp
DataOprInp oprType:i numThreads:i srcL3descInx:i destL3descInx:i srcRescTypeInx:i destRescTypeInx:i offset:i dataSize:i
 condInput:KeyValPair
PortList portNum:i cookie:i sock:i windowSize:i hostAddr:c256
PortalOprOut status:i l1descInx:i numThreads:i chksum:c64 portList:PortList
PortalOpr oprType:i dataOprInp:DataOprInp portList:PortList shared_secret:c32
DataCopyInp dataOprInp:DataOprInp portalOprOut:PortalOprOut
CollInp collName:c1088 flags:i oprType:i condInput:KeyValPair
CollOprStat filesCnt:i totalFileCnt:i bytesWritten:i lastObjPath:c1088
CollInfo collId:i collName:c1088 collParentName:c1088 collOwnerName:c64 collOwnerZone:c64 collMapId:i collAccessInx:i
 collComments:c256 collInheritance:c256 collExpiry:c32 collCreate:c32 collModify:c32 collAccess:c64 collType:c64
 collInfo1:c1088 collInfo2:c1088 condInput:KeyValPair next:p
DataObjInfo objPath:c1088 rescName:c64 rescHier:c2700 dataType:c64 dataSize:i chksum:c64 version:c64 filePath:c1088
 dataOwnerName:c64 dataOwnerZone:c64 replNum:i replStatus:i statusString:c64 dataId:i collId:i dataMapId:i flags:i
 dataComments:c256 dataMode:c32 dataExpiry:c32 dataCreate:c32 dataModify:c32 dataAccess:c64 dataAccessInx:i
 writeFlag:i destRescName:c64 backupRescName:c64 subPath:c1088 specColl:p regUid:i otherFlags:i condInput:KeyValPair
 in_pdmo:c2700 next:p rescId:i dataAccessTime:c32
BulkOprInp objPath:c1088 attriArray:GenQueryOut condInput:KeyValPair
TransferStat len:i offset:i
OpenStat dataSize:i dataType:c64 dataMode:c32 l3descInx:i replStatus:i rescTypeInx:i replNum:i
RodsObjStat objSize:w objType:w dataMode:w dataId:c64 chksum:c64 ownerName:c64 ownerZone:c64 createTime:c32
 modifyTime:c32 specColl:p rescHier:c2700
CollEnt objType:i replNum:i replStatus:i dataMode:i dataSize:i collName:s dataName:s dataId:s createTime:s modifyTime:s
 chksum:s resource:s resc_hier:s phyPath:s ownerName:s dataType:s specColl:SpecColl
ExecCmd cmd:c64 cmdArgv:c20480 execAddr:c256 hintPath:c1088 addPathToArgv:i dummy:i condInput:KeyValPair
ExecCmdOut stdoutBuf:BytesBuf stderrBuf:BytesBuf status:i
FileCreateOut file_name:c1088
FileLseekInp_t fileInx:i offset:i whence:i
FileLseekOut_t offset:i
FileOpenInp resc_name:c2700 resc_hier:c2700 objPath:c1088 otherFlags:i addr:RodsHostAddr fileName:c1088 flags:i mode:i
 dataSize:i condInput:KeyValPair in_pdmo:c2700
FileRenameInp addr:RodsHostAddr oldFileName:c1088 newFileName:c1088 rescHier:c2700 objPath:c1088
FileRenameOut file_name:c1088
ModAccessControlInp recursiveFlag:i accessLevel:s userName:s zone:s path:s
GenQueryInp maxRows:w continueInx:w rowOffset:w options:w condInput:KeyValPair selectInp:InxIvalPair
 sqlCondInp:InxValPair
SpecificQueryInp sql:s args:S maxRows:i continueInx:i rowOffset:i options:i condInput:KeyValPair
StructFileExtAndRegInp objPath:c1088 collection:c1088 oprType:i flags:i condInput:KeyValPair
StructFileOprInp addr:RodsHostAddr oprType:i flags:i specColl:p condInput:KeyValPair
SubFile addr:RodsHostAddr subFilePath:c1088 mode:i flags:i specColl:p
SubStructFileFdOprInp addr:RodsHostAddr type:i fd:i len:i resc_hier:c2700
RuleExecDelInp ruleExecId:c64
RuleExecSubmitInp ruleName:c20480 reiFilePath:c1088 userName:c64 exeAddress:c1088 exeTime:c32 exeFrequency:c64
 priority:c64 lastExecTime:c64 exeStatus:c64 estimateExeTime:c64 notificationAddr:c64 condInput:KeyValPair
 packedReiAndArgBBuf:p ruleExecId:c64
RodsStat st_size:i st_dev:i st_ino:i st_mode:i st_nlink:i st_uid:i st_gid:i st_rdev:i st_atim:i st_mtim:i st_ctim:i
 st_blksize:i st_blocks:i
Stat st_dev:i st_ino:i st_mode:i st_nlink:i st_uid:i st_gid:i st_rdev:i st_size:i st_blksize:i st_blocks:i st_atime:i
 st_mtime:i st_ctime:i
RodsDirent d_offset:i d_ino:i d_reclen:i d_namlen:i d_name:c256
AuthInfo authScheme:c64 authFlag:i flag:i ppid:i host:c64 authStr:c64
UserOtherInfo userInfo:c64 userComments:c256 userCreate:c32 userModify:c32
UserInfo userName:c64 rodsZone:c64 userType:c64 sysUid:i authInfo:AuthInfo userOtherInfo:UserOtherInfo
MsgHeader type:c128 msgLen:i errorLen:i bsLen:i intInfo:i
Version status:i relVersion:c64 apiVersion:c64 reconnPort:i reconnAddr:c256 cookie:i
RErrMsg status:i msg:c1088
RError len:i errMsg:p
PerfStat orphanCnt:i nonOrphanCnt:i
In_Addr s_addr:i
Sockaddr_In sin_family:i sin_port:i sin_addr:In_Addr
Timeval tv_sec:i tv_usec:i
RodsEnv rodsUserName:c64 rodsHost:c64 rodsPort:i rodsHome:c1088 rodsCwd:c1088 rodsAuthScheme:c64 rodsDefResource:c64
 rodsZone:c64 rodsLogLevel:i
RsComm irodsProt:i sock:i connectCnt:i localAddr:Sockaddr_In remoteAddr:Sockaddr_In clientAddr:c64 proxyUser:UserInfo
 clientUser:UserInfo myEnv:RodsEnv cliVersion:Version option:c256 procLogFlag:i rError:RError portalOpr:p apiInx:i
 status:i perfStat:PerfStat windowSize:i reconnFlag:i reconnSock:i reconnPort:i reconnectedSock:i reconnAddr:c64
 cookie:i thread_ctx:p agentState:i clientState:i reconnThrState:i gsiRequest:i auth_scheme:s ssl_on:p
 ssl_do_accept:i ssl_do_shutdown:i negotiation_results:c1088 key_size:i salt_size:i num_hash_rounds:i
 encryption_algorithm:c64 session_props:m
MsParamArray len:i oprType:i msParam:p
RuleExecInfo status:i statusStr:c1088 ruleName:c64 rsComm:p pluginInstanceName:c1088 msParamArray:p
 inOutMsParamArray:MsParamArray l1descInx:i doinp:p doi:p rescName:c64 uoic:p uoip:p coi:p uoio:p condInputData:p
 ruleSet:c64 next:p
CheckAuthCredentialsInput username:c64 zone:c64 password:c1088
DataSeg len:i offset:i
OperProgress oprType:i flag:i totalNumFiles:i totalFileSize:i totalNumFilesDone:i totalFileSizeDone:i curFileName:c1088
 curFileSize:i curFileSizeDone:i
IcatSessionStruct
ThreadContext
"""


@dataclass(frozen=True)
class Field:
    """One member: ``kind`` is a letter of the module's docstring, ``size`` its bytes, ``struct`` an embedded class."""

    name: str
    kind: str
    size: int = 0
    struct: str = ""


def _field(text: str) -> Field:
    name, _, kind = text.partition(":")
    if kind[0] == "c":
        return Field(name, "c", size=int(kind[1:]))
    return Field(name, kind) if len(kind) == 1 else Field(name, "struct", struct=kind)


def parse(text: str) -> dict[str, tuple[Field, ...]]:
    """The table of ``text``: class name -> fields in constructor order."""
    rows = text.strip().replace("\n ", " ").split("\n")
    return {words[0]: tuple(map(_field, words[1:])) for words in (row.split() for row in rows)}


STRUCTURES = parse(TEXT)

# Wire structure -> class of irods_types; what is not here reaches a hook as a dict of strings (facts 4.2).
CLASS_OF_WIRE = {
    "DataObjInp_PI": "DataObjInp",
    "OpenedDataObjInp_PI": "OpenedDataObjInp",
    "DataObjCopyInp_PI": "DataObjCopyInp",
    "CollInpNew_PI": "CollInp",
    "CollInp_PI": "CollInp",
    "GenQueryInp_PI": "GenQueryInp",
    "GenQueryOut_PI": "GenQueryOut",
    "modAccessControlInp_PI": "ModAccessControlInp",
    "ModAccessControlInp_PI": "ModAccessControlInp",
    "BinBytesBuf_PI": "BytesBuf",
    "BytesBuf_PI": "BytesBuf",
    "fileLseekOut_PI": "FileLseekOut_t",
    "FileLseekOut_PI": "FileLseekOut_t",
    "TransferStat_PI": "TransferStat",
    "TransStat_PI": "TransferStat",
    "CollOprStat_PI": "CollOprStat",
    "PortalOprOut_PI": "PortalOprOut",
    "RodsObjStat_PI": "RodsObjStat",
    "BulkOprInp_PI": "BulkOprInp",
    "StructFileExtAndRegInp_PI": "StructFileExtAndRegInp",
    "specificQueryInp_PI": "SpecificQueryInp",
    "MsParamArray_PI": "MsParamArray",
    "OpenStat_PI": "OpenStat",
    "RHostAddr_PI": "RodsHostAddr",
    "RULE_EXEC_SUBMIT_INP_PI": "RuleExecSubmitInp",
    "RULE_EXEC_DEL_INP_PI": "RuleExecDelInp",
    "ExecCmd_PI": "ExecCmd",
    "ExecCmdOut_PI": "ExecCmdOut",
    "KeyValPair_PI": "KeyValPair",
    "DataObjInfo_PI": "DataObjInfo",
}
# These have no serialiser in 5.0.1: the hook gets {'ERROR': '[<name>*] not supported'} (observed facts 0).
UNSUPPORTED_WIRE = {
    "generalAdminInp_PI": "GeneralAdminInput",
    "userAdminInp_PI": "userAdminInp_t",
    "ticketAdminInp_PI": "TicketAdminInput",
    "ExecRuleExpression_PI": "ExecRuleExpression",
    "procStatInp_PI": "procStatInp_t",
    "MiscSvrInfo_PI": "MiscSvrInfo",
    "authCheckInp_PI": "authCheckInp_t",
    "authCheckOut_PI": "authCheckOut_t",
    "getTempPasswordForOtherInp_PI": "getTempPasswordForOtherInp_t",
    "getTempPasswordForOtherOut_PI": "getTempPasswordForOtherOut_t",
    "GridConfigurationInp_PI": "GridConfigurationInput",
    "GridConfigurationOut_PI": "GridConfigurationOutput",
    "SwitchUserInp_PI": "SwitchUserInput",
    "DelayRuleLockInput_PI": "DelayRuleLockInput",
    "DelayRuleUnlockInput_PI": "DelayRuleUnlockInput",
}
