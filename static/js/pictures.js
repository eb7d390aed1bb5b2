"use strict";

// Dragging a picture sends the same form as its buttons do.
const list = document.querySelector("[data-pictures]");
let dragged;

const isTouched = () =>
  document.activeElement?.matches("input") ||
  [...document.querySelectorAll("input[name=alt]")].some((input) => input.value !== input.defaultValue) ||
  document.getElementById("pictures")?.value;

if (list) {
  for (const item of list.children) item.querySelector(".pic").draggable = true;
  list.addEventListener("dragstart", (event) => {
    dragged = event.target.closest("li");
    event.dataTransfer.effectAllowed = "move";
    event.dataTransfer.setData("text/plain", dragged.id);
  });
  list.addEventListener("dragover", (event) => {
    if (dragged) event.preventDefault();
  });
  list.addEventListener("drop", (event) => {
    const target = event.target.closest("li");
    if (!dragged || !target) return;
    event.preventDefault();
    if (target === dragged) return;
    const form = document.getElementById("place");
    const key = dragged.id.slice("picture-".length);
    form.action = `${location.pathname}${key}/place/`;
    form.elements.position.value = target.dataset.position;
    form.submit();
  });
  list.addEventListener("dragend", () => { dragged = undefined; });
  if ("waiting" in list.dataset) {
    setInterval(() => {
      if (!isTouched() && !dragged) location.reload();
    }, 4000);
  }
}
