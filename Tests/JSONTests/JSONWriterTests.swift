// Strings are written so that they read back, with nothing escaped that need not be.

import Foundation
import JSON
import Testing

@Suite struct JSONWriterTests {
    @Test func everyCharacterReadsBack() throws {
        for value in UInt32(0)...0x2FF {
            guard let scalar = Unicode.Scalar(value) else { continue }
            for text in [String(scalar), "a\(scalar)b", "\(scalar)\(scalar)"] {
                let bytes = JSONValue.string(text).utf8
                #expect(try JSONValue(parsing: bytes) == .string(text))
                let foundation =
                    try JSONSerialization.jsonObject(with: Data(bytes), options: .fragmentsAllowed) as? String
                #expect(foundation == text)
            }
        }
    }

    @Test func escapesAreTheShortOnes() {
        #expect(JSONValue.string("\"\\\n\r\t\u{1}\u{1F}/é🙂").description == #""\"\\\n\r\t\u0001\u001f/é🙂""#)
        #expect(JSONValue.string("").description == "\"\"")
    }
}
