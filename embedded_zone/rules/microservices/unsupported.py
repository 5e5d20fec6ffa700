"""Microservices of a real server that this zone lacks: they fail at once with SYS_NOT_SUPPORTED and a log record.

Without this table they would look like misspelt names (NO_MICROSERVICE_FOUND_ERR).
"""

from __future__ import annotations

from embedded_zone.rules.microservices.registry import not_supported

# Name -> number of arguments (reAction.hpp and plugins/microservices of 5.0.2).
UNSUPPORTED = {
    "msiAddUserToGroup": 1,
    "msiApplyDCMetadataTemplate": 2,
    "msiCheckOwner": 0,
    "msiCheckPermission": 1,
    "msiCollRepl": 3,
    "msiCollRsync": 5,
    "msiCreateCollByAdmin": 2,
    "msiCreateUser": 0,
    "msiCutBufferInHalf": 1,
    "msiDataObjGet": 3,
    "msiDataObjPut": 4,
    "msiDeleteCollByAdmin": 2,
    "msiDeleteUnusedAVUs": 0,
    "msiDeleteUser": 0,
    "msiExtractNaraMetadata": 0,
    "msiExtractTemplateMDFromBuf": 3,
    "msiListEnabledMS": 1,
    "msiQuota": 0,
    "msiReadMDTemplateIntoTagStruct": 2,
    "msiRemoveUserFromGroup": 3,
    "msiRenameCollection": 2,
    "msiRenameLocalZone": 2,
    "msiRenameLocalZoneCollection": 1,
    "msiSetQuota": 4,
    "msiSetReplComment": 4,
    "msiTarFileCreate": 4,
    "msiTarFileExtract": 4,
    "msi_get_open_data_obj_l1desc_index": 2,
    "msi_update_unixfilesystem_resource_free_space": 1,
    "msisync_to_archive": 3,
}

for _name, _count in UNSUPPORTED.items():
    not_supported(_name, _count)
