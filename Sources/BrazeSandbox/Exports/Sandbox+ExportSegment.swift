import JSON

/// `POST /users/export/segment` (spec braze §4.4). The archive is made when its `url` is read; no callback is called and
/// no object storage is written.
extension Sandbox {
    /// How long an export counts as running, during which its segment cannot be exported again.
    static let exportRuns: EpochMilliseconds = 2000
    static let runningExports = 100

    func exportSegment(_ call: Call) throws(CallError) -> SandboxAnswer {
        guard let fields = try exportFields(call.body, required: true) else {
            throw CallError(400, "'fields_to_export' is required")
        }
        let names = try strings(call.body["custom_attributes_to_export"], "custom_attributes_to_export")
        guard names.count <= 500 else {
            throw CallError(400, "'custom_attributes_to_export' may have at most 500 names")
        }
        let format = call.body["output_format"]?.string ?? "zip"
        guard ["zip", "gzip"].contains(format) else { throw CallError(400, "'output_format' must be 'zip' or 'gzip'") }
        guard let id = call.body["segment_id"]?.string, !id.isEmpty else {
            throw CallError(400, "'segment_id' is required")
        }
        let prefix = try workspace(call) { state, index throws(CallError) in
            guard let segment = state.workspaces[index].segment(id), !segment.isArchived else {
                throw CallError(400, "Invalid segment_id")
            }
            let now = state.now
            let running = state.exports.filter { $0.at > now - Sandbox.exportRuns }
            guard !running.contains(where: { $0.segment == id && $0.workspace == call.workspace }) else {
                throw CallError(429, "An export of this segment is running")
            }
            guard running.count < Sandbox.runningExports else { throw CallError(429, "Too many exports are running") }
            let prefix = String(state.generator.next(), radix: 36) + "-" + String(now)
            state.exports.append(
                SegmentExport(
                    prefix: prefix, workspace: call.workspace, segment: id, at: now, fields: fields,
                    attributeNames: fields.contains("custom_attributes") || names.isEmpty ? nil : Set(names)))
            state.exports = state.exports.suffix(Sandbox.runningExports)
            return prefix
        }
        var reply: JSONObject = ["message": "success", "object_prefix": .string(prefix)]
        if let host = call.request.header("host") {
            reply["url"] = .string("http://\(host)/sandbox/exports/\(prefix).zip")
        }
        return SandboxAnswer(201, .object(reply))
    }

    func cancelExport(_ call: Call) throws(CallError) -> SandboxAnswer {
        guard let id = call.body["segment_id"]?.string, !id.isEmpty else {
            throw CallError(400, "'segment_id' is required")
        }
        try workspace(call) { state, _ throws(CallError) in
            state.exports.removeAll { $0.segment == id && $0.workspace == call.workspace }
        }
        return SandboxAnswer(201, ["message": "success"])
    }

    /// The archive of an export: files of 5,000 users, one JSON object a line.
    func exportArchive(_ prefix: String) -> SandboxAnswer {
        let found = withState { state -> (SegmentExport, Workspace, Audience)? in
            guard let export = state.exports.first(where: { $0.prefix == prefix }),
                let index = state.workspaceIndex(export.workspace)
            else { return nil }
            return (export, state.workspaces[index].light, state.audience(state.workspaces[index]))
        }
        guard let (export, workspace, audience) = found, let segment = workspace.segment(export.segment),
            let compiled = try? CompiledAudience(segment.definition, in: audience)
        else { return .message(404, "There is no such export.") }
        var archive = StoredZip()
        var file: [UInt8] = []
        var users = 0
        var fields = export.fields
        if export.attributeNames != nil { fields.insert("custom_attributes") }
        func finishFile() {
            archive.add("\(export.prefix)-\((users - 1) / 5000).txt", file)
            file.removeAll()
        }
        audience.profiles.forEach { profile in
            guard compiled.contains(profile) else { return true }
            file +=
                JSONValue.object(
                    workspace.export(profile, fields: fields, attributeNames: export.attributeNames, at: audience.now)
                ).utf8
            file.append(UInt8(ascii: "\n"))
            users += 1
            if users % 5000 == 0 { finishFile() }
            return true
        }
        if !file.isEmpty { finishFile() }
        return SandboxAnswer(status: 200, headers: [("content-type", "application/zip")], body: archive.finish())
    }
}

/// An export that was asked for. Not kept over a restart.
struct SegmentExport: Sendable {
    let prefix: String
    let workspace: String
    let segment: String
    let at: EpochMilliseconds
    let fields: Set<String>
    let attributeNames: Set<String>?
}

/// A ZIP archive whose entries are stored uncompressed: any unzip reads it, and it needs no library.
struct StoredZip {
    private var bytes: [UInt8] = []
    private var directory: [UInt8] = []
    private var count = 0

    private static let table: [UInt32] = (0..<256).map { index in
        (0..<8).reduce(UInt32(index)) { value, _ in value & 1 == 1 ? 0xEDB8_8320 ^ (value >> 1) : value >> 1 }
    }

    static func checksum(_ data: [UInt8]) -> UInt32 {
        ~data.reduce(~UInt32(0)) { crc, byte in table[Int((crc ^ UInt32(byte)) & 0xFF)] ^ (crc >> 8) }
    }

    mutating func add(_ name: String, _ data: [UInt8]) {
        let offset = UInt32(bytes.count)
        var shared: [UInt8] = []
        // Version, flags, method (stored), time, date (1980-01-01), checksum, sizes, name length, extra length.
        for value in [UInt16(20), 0, 0, 0, 0x21] { shared.append(littleEndian: value) }
        shared.append(littleEndian: StoredZip.checksum(data))
        shared.append(littleEndian: UInt32(data.count))
        shared.append(littleEndian: UInt32(data.count))
        shared.append(littleEndian: UInt16(name.utf8.count))
        shared.append(littleEndian: UInt16(0))
        bytes.append(littleEndian: UInt32(0x0403_4B50))
        bytes += shared + Array(name.utf8) + data
        directory.append(littleEndian: UInt32(0x0201_4B50))
        directory.append(littleEndian: UInt16(20))
        directory += shared
        // Comment length, disk, attributes, place of the entry.
        for value in [UInt16(0), 0, 0] { directory.append(littleEndian: value) }
        directory.append(littleEndian: UInt32(0))
        directory.append(littleEndian: offset)
        directory += Array(name.utf8)
        count += 1
    }

    mutating func finish() -> [UInt8] {
        var result = bytes + directory
        result.append(littleEndian: UInt32(0x0605_4B50))
        for value in [UInt16(0), 0, UInt16(count), UInt16(count)] { result.append(littleEndian: value) }
        result.append(littleEndian: UInt32(directory.count))
        result.append(littleEndian: UInt32(bytes.count))
        result.append(littleEndian: UInt16(0))
        return result
    }
}

extension [UInt8] {
    fileprivate mutating func append(littleEndian value: some FixedWidthInteger) {
        Swift.withUnsafeBytes(of: value.littleEndian) { append(contentsOf: $0) }
    }
}
