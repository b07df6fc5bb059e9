/** A column as users name it: a number from 0, or a name from the header. */
export function columnOf(text: string): string | number {
  return /^\d{1,6}$/.test(text) ? Number(text) : text
}

/** Columns separated by commas; one whose name has a comma is called by its number. */
export function columnsOf(text: string): (string | number)[] {
  return text.split(',').map((one) => columnOf(one.trim()))
}
