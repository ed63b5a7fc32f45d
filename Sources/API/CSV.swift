import Engine
import JSON
import Model

/// Rows of a download (spec: engage §1.8, unformatted, with the usual ids in columns of their own).
enum CSV {
    static func row(of member: MemberView, _ identifiers: [Identifier], key: String) -> String {
        var ids = JSONObject()
        for identifier in identifiers {
            ids[identifier.type] = .array((ids[identifier.type]?.array ?? []) + [.string(identifier.value)])
        }
        let cells: [String] = [
            key, member.value.string ?? member.value.description, JSONValue.object(ids).description,
            member.profile.segmentID, member.profile.userID ?? "", member.profile.email ?? "",
            member.profile.name ?? "", member.since.description,
        ]
        return cells.map(cell).joined(separator: ",") + "\r\n"
    }

    /// Quoted where needed. A text that a spreadsheet would take for a formula gets an apostrophe in front: values come
    /// from whoever sends events.
    static func cell(_ text: String) -> String {
        var text = text
        if let first = text.unicodeScalars.first, "=+-@\t\r".unicodeScalars.contains(first), Double(text) == nil {
            text = "'" + text
        }
        guard text.unicodeScalars.contains(where: { "\",\r\n".unicodeScalars.contains($0) }) else { return text }
        return "\"" + text.split(separator: "\"", omittingEmptySubsequences: false).joined(separator: "\"\"") + "\""
    }
}
